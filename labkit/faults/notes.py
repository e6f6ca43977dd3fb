"""What commands report about faults, and which commands heal faults first. Commands that only read do not heal and do not wait."""

import os
import time

from labkit.errors import UserError
from labkit.faults import engine
from labkit.faults.ledger import Fault, Ledger
from labkit.stack import stack_names
from labkit.stack.model import Stack
from labkit.terminal import say


def notes(stack: Stack) -> list[str]:
    """Return one line for each fault that could mislead a person who looks at the stack now."""
    return [_note(stack, fault) for fault in Ledger(stack.directory).open()]


def _note(stack: Stack, fault: Fault) -> str:
    ago = _ago(time.time() - fault.made)
    name = stack_names.named(stack.name)
    if engine.left_behind_one(stack, fault):
        return f"Fault {fault.id} was left behind by {fault.owner.command}, {ago} ago: {fault.said}. labkit heal {fault.id}{name}"
    if fault.by_hand:
        return f"Fault {fault.id}, set by hand {ago} ago: {fault.said}. labkit heal {fault.id}{name}"
    return f"Fault {fault.id} belongs to {fault.owner.command} (pid {fault.owner.pid}), which is running: {fault.said}."


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def heal_left_behind(stack: Stack, *, to_errors: bool = False) -> None:
    """Heal what an earlier run left behind, and report it (on standard error if `to_errors`). Commands that change something call this
    first.
    """
    out = say.problem if to_errors else say.line
    engine.heal_left_behind(stack, tell=lambda fault: out(f"Healed fault {fault.id}, left behind by an earlier run: {fault.said}."))


def heal_all_first(stack: Stack, command: str, *, to_errors: bool = False) -> None:
    """Heal all faults, also those of other commands, except faults of a run that is still active.

    For commands that reset the stack, and for checks, which judge the code alone.
    """
    out = say.problem if to_errors else say.line
    _refuse_while_a_run_goes_on(stack)
    engine.heal_all(stack, how=command, tell=lambda fault: out(f"Healed fault {fault.id} first: {fault.said}."))


def _refuse_while_a_run_goes_on(stack: Stack) -> None:
    for fault in Ledger(stack.directory).open():
        if not fault.by_hand and fault.owner.pid != os.getpid() and not engine.left_behind_one(stack, fault):
            who = f"{fault.owner.command} (pid {fault.owner.pid})"
            raise UserError(f"{who} is at work on the stack {stack.name!r}.", "wait until it is done, or stop it")


def forget(stack: Stack, command: str) -> None:
    """Mark all faults as healed when the stack loses its data. No fault needs more than that."""
    engine.forget_all(Ledger(stack.directory), command)


def after_repair(stack: Stack) -> None:
    """After `labkit up` everything runs: close outages, and heal what was left behind."""
    for fault in engine.healed_by_repair(stack):
        say.line(f"This ends fault {fault.id}: {fault.said}.")
    heal_left_behind(stack)
    for line in notes(stack):
        say.line(line)
