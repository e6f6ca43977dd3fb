"""labkit logs: what the components wrote."""

from labkit import say
from labkit.errors import ExitCode, UserError
from labkit.faults import told
from labkit.stack import runtimes, state
from labkit.stack.model import COMPONENTS, SUPERVISOR

LINES_OF_ALL = 10


def logs(stack_name: str, component: str | None, *, follow: bool, lines: int | None) -> ExitCode:
    """All of one component's log, or the end of each; `follow` goes on until Ctrl-C."""
    names = (*COMPONENTS, SUPERVISOR)
    if component is not None and component not in names:
        message = f"There is no component {component!r}; a stack has {', '.join(names)}."
        raise UserError(message, f"labkit logs {COMPONENTS[3]}", exit_code=ExitCode.USAGE)
    stack = state.load(stack_name)
    runtime = runtimes.of_stack(stack)
    shown = [component] if component else [*COMPONENTS, *runtime.extra]
    count = lines if lines is not None else LINES_OF_ALL if component is None or follow else None
    coming = runtime.follow(shown) if follow else iter(())  # first, so that no line falls between
    for name in shown:
        found = runtime.log(name, count)
        if not found and component and count != 0 and not follow:
            raise UserError(f"{name} has written nothing yet.", "labkit up")
        for line in found:
            say.raw(_prefix(name, component) + line)
    for line in told.notes(stack):
        say.problem(line)
    for name, line in coming:
        say.raw(_prefix(name, component) + line)
    return ExitCode.OK


def _prefix(name: str, only: str | None) -> str:
    return "" if only else f"{name:13} | "
