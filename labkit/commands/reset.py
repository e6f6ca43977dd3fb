"""labkit reset: empty every store and begin anew."""

import time

from labkit import say
from labkit.errors import ExitCode, UserError
from labkit.faults import told
from labkit.stack import lifecycle, runtimes, state
from labkit.up_view import Table


def reset(stack_name: str, *, data: bool, yes: bool) -> ExitCode:
    """Tables, records, view: all gone; the services start again on empty stores. Interrupted, the next `up` finishes it."""
    stack = state.load(stack_name)
    if not data and not runtimes.of_stack(stack).running():
        raise UserError(f"The stack {stack_name!r} does not run.", "labkit up, then labkit reset; or labkit reset --data")
    what = "the whole data directory" if data else "all customers, orders and messages"
    if not yes and say.can_ask() and not say.agreed(f"Throw away {what} of {stack_name}?"):
        say.line("Nothing was changed.")
        return ExitCode.OK
    begun = time.monotonic()
    with state.exclusive(stack_name, "reset") as directory, Table() as table:
        told.forget(stack, "labkit reset --data") if data else told.heal_all_first(stack, "labkit reset")
        lifecycle.intend_reset(directory, lifecycle.RESET_ALL if data else lifecycle.RESET)
        lifecycle.bring_up(directory, stack_name, stack.source, table, runtime=stack.runtime)
    say.line(f"\nAll stores are empty; ready in {time.monotonic() - begun:.1f} s.")
    say.line("Next: labkit lab 1 check")
    return ExitCode.OK
