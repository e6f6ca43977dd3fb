"""Running a learner's edits: restart every service whose files differ from those it was started with."""

from pathlib import Path

from labkit.stack import lifecycle, runtimes, sources, state
from labkit.stack.component_table import Quiet
from labkit.stack.model import Stack
from labkit.workspace import current, recovery


def take_over(stack: Stack) -> list[str]:
    """Restart the edited services, wait until they are ready, and return their names in start order.

    In a workspace, the services run from the workspace afterwards, wherever they ran from before. Elsewhere, they keep their folder. A
    stack that is down is left alone, and so is a stopped service whose files have not changed. Raises UserError if another command is
    working on the stack, and NotReady, with the last lines of the log, if a service does not start with the current files. The next call
    tries that service again.
    """
    source = source_for(state.load(stack.name))
    if not _stale(stack.name, source):
        return []
    with state.exclusive(stack.name, "loading your edits") as directory:
        stale = _stale(stack.name, source)
        if not stale:
            return []
        with recovery.next_step_added(), Quiet() as view:
            brought = lifecycle.bring_up(directory, stack.name, source, view, runtime=stack.runtime, profile=stack.profile, restart=stale)
        return [name for name in stack.services if name in brought.started]


def source_for(stack: Stack) -> Path:
    """Return the folder that a stack's services should run from: the current workspace, or else their present folder."""
    space = current.workspace_or_none()
    return space.folder if space else stack.source


def _stale(name: str, source: Path) -> list[str]:
    """Return the services that do not run with the files of `source`. Empty if no part of the stack runs."""
    stack = state.load(name)
    wanted = sources.digests(source, stack.services)
    stale = [name for name in stack.services if stack[name].digest != wanted[name] or stack.source != source]
    return stale if stale and runtimes.of_stack(stack).running() else []
