"""labkit down: stop the stack."""

from labkit import say
from labkit.errors import ExitCode
from labkit.faults import engine
from labkit.faults.ledger import Ledger
from labkit.stack import lifecycle, runtimes, state


def down(stack_name: str, *, data: bool) -> ExitCode:
    """Stop every process of the stack, whoever started it. Its data stays unless asked otherwise."""
    directory = state.directory_of(stack_name)
    if not directory.is_dir():
        say.line(f"There is no stack {stack_name!r}: nothing to stop.")
        return ExitCode.OK
    with state.exclusive(stack_name, "down"):
        known = state.find(stack_name)
        ran = any(runtimes.of(name, directory).running() for name in ([known.runtime] if known else runtimes.usable()))
        engine.forget_all(Ledger(directory), "labkit down")
        lifecycle.take_down(directory, known, data=data)
    if data:
        say.line(f"{stack_name} is down and its data is gone.")
    elif ran:
        say.line(f"{stack_name} is down. Its data is kept: `labkit up` brings it back.")
    else:
        say.line(f"{stack_name} was down already.")
    return ExitCode.OK
