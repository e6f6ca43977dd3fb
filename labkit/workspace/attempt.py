"""What precedes each judging of the learner's code: nobody else is at work, nothing is broken, and the code runs as it was saved."""

from collections.abc import Iterator
from contextlib import contextmanager

from labkit.faults import notes
from labkit.stack import run_lock, state
from labkit.stack.model import Stack
from labkit.terminal import say
from labkit.workspace.edits import take_over


@contextmanager
def attempt(stack: Stack, command: str, title: str, *, as_json: bool) -> Iterator[tuple[Stack, list[str]]]:
    """Hold the stack's lock, heal what earlier commands left broken, and restart the services whose files changed. Yield the stack as it is
    then, and the names of the restarted services. Print the title and these names, unless JSON is wanted."""
    with run_lock.run(stack, command):
        notes.heal_all_first(stack, command, to_errors=as_json)
        restarted = take_over(stack)
        if not as_json:
            say.line(f"{title}\n")
            if restarted:
                say.line(f"  Restarted with your changes: {', '.join(restarted)}.\n")
        yield state.load(stack.name), restarted
