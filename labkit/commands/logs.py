"""labkit logs: what the components wrote."""

from contextlib import nullcontext

from labkit.errors import ExitCode, UserError
from labkit.faults import notes
from labkit.stack import runtimes, state
from labkit.stack.model import SUPERVISOR, no_component
from labkit.terminal import log_lines, say

LINES_OF_ALL = 10


def logs(stack_name: str, component: str | None, *, follow: bool, lines: int | None, as_json: bool) -> ExitCode:
    """Print one component's entire log, or the end of each log. `follow` continues until Ctrl-C. `as_json` prints one document per line."""
    profile = state.profile_of_stack(stack_name)
    if component is not None and component not in (*profile.components, SUPERVISOR):
        raise no_component(profile, component, f"labkit logs {profile.services[0].name}", (SUPERVISOR,))
    stack = state.load(stack_name)
    runtime = runtimes.of_stack(stack)
    shown = [component] if component else [*stack.names, *runtime.extra]
    count = lines if lines is not None else LINES_OF_ALL if component is None or follow else None
    coming = runtime.follow(shown) if follow else iter(())  # start following before reading, so that no line is missed
    with nullcontext() if follow else say.paged():
        for name in shown:
            found = runtime.log(name, count)
            if not found and component and count != 0 and not follow:
                raise UserError(f"{name} has written nothing yet.", "labkit up")
            for line in found:
                _show(name, component, line, as_json=as_json)
    for line in notes.notes(stack):
        say.problem(line)
    for name, line in coming:
        _show(name, component, line, as_json=as_json)
    return ExitCode.OK


def _show(name: str, only: str | None, line: str, *, as_json: bool) -> None:
    if as_json:
        say.raw(log_lines.as_json(name, line))
        return
    prefix = "" if only else f"{name:13} | "
    say.line("\n".join(prefix + part for part in log_lines.readable(line).split("\n")))
