"""labkit setup: install the servers."""

from labkit.errors import ExitCode
from labkit.setup import setup as set_up
from labkit.stack import runtimes
from labkit.stack.runtime import DOCKER
from labkit.terminal import say


def setup(*, yes: bool, runtime: str | None) -> ExitCode:
    """Find the servers, install the missing ones, and print where each was found. On Docker, `labkit up` gets them as images."""
    runtimes.refuse_unknown(runtime)
    choice = runtimes.choose(runtime, None)
    if choice.runtime == DOCKER:
        say.line(f"{choice.why} labkit up pulls the images. (To set up servers on this machine: labkit setup --runtime native)")
    else:
        set_up(assume_yes=yes, tell=say.line)
    say.line("Next: labkit up")
    return ExitCode.OK
