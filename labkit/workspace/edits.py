"""A learner's edits become what runs: every service whose files differ from those that it was started with is started again."""

from pathlib import Path

from labkit.stack import lifecycle, runtimes, sources, state
from labkit.stack.component_table import Quiet
from labkit.stack.model import Stack
from labkit.workspace import here, recovery


def take_over(stack: Stack) -> list[str]:
    """Start again what was edited, wait until it is ready, and return which services that were, in the order in which they start.

    In a workspace the services run from it afterwards, whatever they ran from before; elsewhere from where they run now. A stack that does
    not run is left alone, and so is a service that was stopped and whose files are the same. Raises UserError when another command is at
    work on the stack, and NotReady, with the last lines of its log, when a service does not start with the files as they are: it is tried
    again the next time."""
    source = source_for(state.load(stack.name))
    if not _stale(stack.name, source):
        return []
    with state.exclusive(stack.name, "taking over your edits") as directory:
        stale = _stale(stack.name, source)
        if not stale:
            return []
        with recovery.next_step_added(), Quiet() as view:
            brought = lifecycle.bring_up(directory, stack.name, source, view, runtime=stack.runtime, profile=stack.profile, restart=stale)
        return [name for name in stack.services if name in brought.started]


def source_for(stack: Stack) -> Path:
    """The folder that a stack's services are to run from: the workspace that one is in, else what they run from now."""
    space = here.workspace_or_none()
    return space.folder if space else stack.source


def _stale(name: str, source: Path) -> list[str]:
    """The services that do not run with the files of `source`; none when nothing of the stack runs."""
    stack = state.load(name)
    wanted = sources.digests(source, stack.services)
    stale = [name for name in stack.services if stack[name].digest != wanted[name] or stack.source != source]
    return stale if stale and runtimes.of_stack(stack).running() else []
