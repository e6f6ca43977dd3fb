"""labkit shell: a shell where a component runs."""

import os
import sys

from labkit import say
from labkit.errors import ExitCode, UserError
from labkit.stack import clients, native, processes, runtimes, state
from labkit.stack.model import COMPONENTS
from labkit.stack.runtime import NATIVE


def shell(stack_name: str, component: str) -> ExitCode:
    """Gives this process to the shell: in the container, or natively in the component's folder with its environment."""
    stack = state.load(stack_name)
    if component not in COMPONENTS:
        message = f"There is no component {component!r}; a stack has {', '.join(COMPONENTS)}."
        raise UserError(message, f"labkit shell {COMPONENTS[0]}", exit_code=ExitCode.USAGE)
    runtime = runtimes.of_stack(stack)
    if not runtime.runs(component):
        raise UserError(f"{component} does not run.", "labkit up")
    login = clients.environment(stack, component)
    command = runtime.shell(component, login)
    os.environ.update(login)
    if stack.runtime == NATIVE:
        entry = native.planned(stack.directory).get(component, {"env": {}, "cwd": str(stack.directory)})
        say.problem(f"{component} is a process of this machine: a shell in its folder, with its environment. exit ends it.")
        os.chdir(entry["cwd"])
        own = {name: value for name, value in entry["env"].items() if name != processes.MARKER}  # what is started here is the user's
        os.environ.update(own)
    if hint := clients.hint(stack, component):
        say.problem(hint)
    sys.stdout.flush()
    os.execvp(command[0], command)
