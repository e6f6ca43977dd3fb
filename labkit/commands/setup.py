"""labkit setup: get the servers."""

from labkit.errors import ExitCode
from labkit.setup import setup as set_up


def setup(*, yes: bool) -> ExitCode:
    """Find the servers, get what is missing, say what was found where."""
    set_up(assume_yes=yes, tell=lambda line: print(line, flush=True))
    print("Next: labkit up")
    return ExitCode.OK
