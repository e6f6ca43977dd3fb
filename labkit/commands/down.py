"""labkit down: stop the stack."""

import time
from contextlib import suppress
from pathlib import Path

from labkit.errors import Damaged, ExitCode
from labkit.faults import engine
from labkit.faults.ledger import Ledger
from labkit.stack import lifecycle, runtimes, stack_names, state
from labkit.stack.model import Stack
from labkit.system import find as profiles
from labkit.terminal import say


def down(stack_name: str, *, data: bool, yes: bool) -> ExitCode:
    """Stop every process of the stack, including processes that another command started. The data stays unless `data` is set."""
    directory = stack_names.directory_of(stack_name)
    if not directory.is_dir():
        say.line(f"There is no stack {stack_name!r}: nothing to stop.")
        return ExitCode.OK
    if data and not say.confirmed(f"This deletes all data of the stack {stack_name}. Continue?", yes=yes):
        return ExitCode.OK
    with state.exclusive(stack_name, "down"):
        known = _known(stack_name, data=data)
        profile = known.profile if known else profiles.default()
        ran = any(runtimes.of(name, directory, profile).running() for name in ([known.runtime] if known else runtimes.usable()))
        _forget_faults(directory)
        lifecycle.take_down(directory, known, data=data)
    if data:
        say.line(f"{stack_name} is down and its data is gone.")
    elif ran:
        say.line(f"{stack_name} is down. Its data is kept: `labkit up{stack_names.named(stack_name)}` brings it back.")
    else:
        say.line(f"{stack_name} was down already.")
    return ExitCode.OK


def _known(stack_name: str, *, data: bool) -> Stack | None:
    """Return the stack, or None if its description is damaged. A damaged description is set aside, so that `labkit up` writes a new one;
    stopping the stack does not need it."""
    try:
        return state.find(stack_name)
    except Damaged as damaged:
        if not data:
            _put_aside(damaged)
        return None


def _put_aside(damaged: Damaged) -> None:
    aside = damaged.path.with_name(f"{damaged.path.name}.{time.strftime('%Y%m%d-%H%M%S')}")
    with suppress(OSError):
        damaged.path.replace(aside)
        say.problem(f"{damaged.message} It was moved to {aside.name}; labkit up writes a new one.")


def _forget_faults(directory: Path) -> None:
    """Write the open faults off. If the ledger cannot be written, they stay in it and the next command reports them."""
    try:
        engine.forget_all(Ledger(directory), "labkit down")
    except Damaged as damaged:
        _put_aside(damaged)
    except OSError as error:
        say.problem(f"The faults could not be marked as healed: {error.strerror}.")
