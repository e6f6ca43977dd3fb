"""labkit watch: run what is saved."""

import time

from labkit import interrupts
from labkit.errors import ExitCode, UserError
from labkit.stack import runtimes, sources, state
from labkit.terminal import say
from labkit.workspace import current, watching
from labkit.workspace.edits import take_over


def watch(stack_name: str) -> ExitCode:
    """Take edits over until Ctrl-C. A file that does not work is reported, and the watch continues."""
    space = current.workspace()
    interrupts.on_termination()
    runtimes.load_running(stack_name)
    say.line(f"Watching {space.folder / sources.ROOT}: services restart when you save. Ctrl-C stops.")
    try:
        for _ in watching.saves(space):
            _take_over(stack_name)
    except KeyboardInterrupt:
        say.line()
    say.line("No longer watching. Next: labkit lab N check, which also loads your edits")
    return ExitCode.OK


def _take_over(stack_name: str) -> None:
    begun = time.monotonic()
    try:
        restarted = take_over(state.load(stack_name))
    except UserError as error:
        say.problem(f"{time.strftime('%H:%M:%S')}  {error}\n")
        return
    if restarted:
        seconds = time.monotonic() - begun
        say.line(f"{time.strftime('%H:%M:%S')}  restarted {', '.join(restarted)}: ready in {seconds:.1f} s")
