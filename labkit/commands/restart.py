"""labkit restart: stop components and start them again with their current files."""

from labkit.errors import ExitCode
from labkit.faults import notes
from labkit.stack import lifecycle, runtimes, state
from labkit.stack.component_table import ComponentTable
from labkit.stack.model import no_component
from labkit.terminal import say
from labkit.workspace import recovery
from labkit.workspace.edits import source_for


def restart(stack_name: str, components: list[str]) -> ExitCode:
    """Restart the components and wait until all of them are ready."""
    profile = state.profile_of_stack(stack_name)
    for component in components:
        if component not in profile.components:
            raise no_component(profile, component, f"labkit restart {profile.services[0].name}")
    with state.exclusive(stack_name, f"restart {' '.join(components)}") as directory:
        stack = runtimes.load_running(stack_name)
        with recovery.next_step_added(), ComponentTable() as table:
            lifecycle.bring_up(
                directory, stack_name, source_for(stack), table, runtime=stack.runtime, profile=stack.profile, restart=components
            )
        notes.after_repair(stack)
    say.line()
    say.line(f"Restarted {', '.join(components)}.")
    return ExitCode.OK
