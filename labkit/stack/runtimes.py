"""Choose a stack's runtime: the requested one, else the one that has the stack's data, else Docker if an engine answers, else native."""

import os
from dataclasses import dataclass
from pathlib import Path

from labkit import docker_engine
from labkit.errors import ExitCode, UserError
from labkit.stack import stack_names, state
from labkit.stack.model import Stack
from labkit.stack.runtime import DOCKER, NAMES, NATIVE, Runtime
from labkit.system.model import Profile


@dataclass(frozen=True)
class Choice:
    runtime: str
    why: str  # a sentence


def refuse_unknown(wanted: str | None) -> None:
    if wanted is not None and wanted not in NAMES:
        message = f"There is no runtime {wanted!r}, only {' and '.join(NAMES)}."
        raise UserError(message, "labkit up --runtime native", exit_code=ExitCode.USAGE)


def choose(wanted: str | None, old: Stack | None) -> Choice:
    """Choose a runtime. Raises UserError when the requested one is unavailable, or the other runtime has the stack's data."""
    wanted = wanted or os.environ.get("LABKIT_RUNTIME") or None
    if old is not None:
        if wanted not in (None, old.runtime):
            named = stack_names.named(old.name)
            raise UserError(
                f"The stack {old.name!r} has its data in the {old.runtime} runtime.",
                f"labkit down --data{named}, then labkit up --runtime {wanted}{named}; or another stack beside it: --name other",
            )
        return Choice(old.runtime, _SPOKEN[old.runtime])
    if wanted == NATIVE:
        return Choice(NATIVE, "The servers run as processes on this machine, as asked.")
    try:
        found = docker_engine.find()
    except docker_engine.NoEngine as error:
        if wanted == DOCKER:
            raise UserError(error.message, f"{error.next_step}; {docker_engine.NATIVELY}") from None
        return Choice(NATIVE, f"{error.message.removesuffix('.')}, so the servers run as processes on this machine.")
    return Choice(DOCKER, f"Docker {found.version} answers, so the servers run in containers.")


_SPOKEN = {DOCKER: "This stack runs in containers.", NATIVE: "This stack runs as processes on this machine."}


def of(name: str, directory: Path, profile: Profile) -> Runtime:
    """Return the runtime of a stack with this profile's components. Cheap: does not access the engine."""
    if name == DOCKER:
        from labkit.stack.docker.runtime import Docker

        return Docker(directory, profile)
    from labkit.stack.native.runtime import Native

    return Native(directory, profile)


def of_stack(stack: Stack) -> Runtime:
    return of(stack.runtime, stack.directory, stack.profile)


def usable() -> list[str]:
    """Return the names of the runtimes that are available now."""
    try:
        docker_engine.find()
    except docker_engine.NoEngine:
        return [NATIVE]
    return [NATIVE, DOCKER]


def load_running(name: str) -> Stack:
    """Return the stack as it was last brought up. Raises UserError when there is none, or nothing of it runs."""
    stack = state.load(name)
    if not of_stack(stack).running():
        raise UserError(f"The stack {name!r} is not running.", f"labkit up{stack_names.named(name)}")
    return stack
