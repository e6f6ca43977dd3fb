"""labkit shell: a store's prompt, or a shell in a component's environment."""

import os
import sys
from typing import NoReturn

from labkit.errors import ExitCode, UserError
from labkit.stack import processes, products, runtimes, state, store_prompt
from labkit.stack.model import Stack
from labkit.stack.native import plan
from labkit.stack.runtime import NATIVE, Runtime
from labkit.stack.store_prompt import Looks
from labkit.terminal import say


def shell(stack_name: str, component: str, looks: Looks, *, sh: bool) -> ExitCode:
    """Replace this process with the store's client or with a shell. The shell runs in the container; natively, it runs in the
    component's folder with the component's environment."""
    stack = state.load(stack_name)
    if component not in stack.names:
        raise stack.no_component(component, f"labkit shell {stack.servers[0]}")
    runtime = runtimes.of_stack(stack)
    if not runtime.runs(component):
        raise UserError(f"{component} is not running.", "labkit up")
    if sh or component not in stack.servers:
        _shell(stack, component, runtime)
    return _prompt(stack, component, looks)


def _prompt(stack: Stack, store: str, looks: Looks) -> ExitCode:
    product = products.of_component(stack.profile, store)
    if product is not None and (own := product.client(stack, store)) is not None:
        command, login = own
        os.environ.update(login)
        sys.stdout.flush()
        os.execv(command[0], command)
    store_prompt.run(stack, store, looks)
    return ExitCode.OK


def _shell(stack: Stack, component: str, runtime: Runtime) -> NoReturn:
    product = products.of_component(stack.profile, component)
    login = product.shell_environment(stack, component) if product else {}
    command = runtime.shell(component, login)
    if stack.runtime == NATIVE:
        entry = plan.load(stack.directory).get(component, {"env": {}, "cwd": str(stack.directory)})
        say.problem(f"{component} is a process on this machine. This is a shell in its folder, with its environment; leave with exit.")
        os.chdir(entry["cwd"])
        own = {name: value for name, value in entry["env"].items() if name != processes.MARKER}  # the user's own processes carry no marker
        os.environ.update(own)
    os.environ.update(login)  # must come last: its PATH leads to a redis-cli that reaches this stack
    if product:
        say.problem(product.hint(stack, component))
    sys.stdout.flush()
    os.execvp(command[0], command)
