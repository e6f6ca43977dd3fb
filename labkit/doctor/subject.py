"""What the doctor examines: this machine, one stack, and the runtime that `labkit up` would take for it."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit import docker_engine as engines
from labkit.docker_engine import Engine, NoEngine
from labkit.errors import Damaged, UserError
from labkit.stack import processes, runtimes, stack_names, state
from labkit.stack.model import Stack
from labkit.stack.runtime import DOCKER, NATIVE
from labkit.system import find as profiles
from labkit.system.model import Profile

ASK_TIMEOUT = 4.0  # seconds; an engine that is pulling images answers late


@dataclass(frozen=True)
class Answers:
    """The engine's answers: its /info, all its containers (without those of other tools' private data), and its clock compared with
    ours."""

    info: Mapping[str, Any]
    containers: tuple[Mapping[str, Any], ...]
    asked: float  # epoch seconds, before and after /info
    answered: float


@dataclass(frozen=True)
class Subject:
    name: str
    directory: Path
    wanted: str | None  # --runtime, LABKIT_RUNTIME
    stack: Stack | None
    damaged: bool  # its description cannot be read
    engine: Engine | None
    no_engine: NoEngine | None
    answers: Answers | None
    choice: runtimes.Choice | None
    refusal: UserError | None
    running: frozenset[str] = field(default_factory=frozenset)  # components of the stack

    @property
    def profile(self) -> Profile:
        return self.stack.profile if self.stack else profiles.default()

    @property
    def taken(self) -> str:
        """The runtime that `labkit up` would take, or the requested one if it cannot be used."""
        return self.choice.runtime if self.choice else self.wanted or NATIVE

    @property
    def takes_docker(self) -> bool:
        return self.taken == DOCKER


def look(name: str, wanted: str | None) -> Subject:
    """Collect what the doctor examines. Raises UserError for an invalid stack name or runtime."""
    wanted = wanted or os.environ.get("LABKIT_RUNTIME") or None
    runtimes.refuse_unknown(wanted)
    directory, stack, damaged = stack_names.directory_of(name), None, False
    try:
        stack = state.find(name)
    except Damaged:
        damaged = True
    found, no_engine, answers = None, None, None
    try:
        found = engines.find()
        answers = _ask(found)
    except NoEngine as error:
        no_engine = error
    choice, refusal = None, None
    try:
        choice = runtimes.choose(wanted, stack)
    except UserError as error:
        refusal = error
    running = _running(directory, stack, answers)
    return Subject(name, directory, wanted, stack, damaged, found, no_engine, answers, choice, refusal, running)


def _ask(found: Engine) -> Answers | None:
    """Return the engine's answers, or None if it answers nothing beyond its version."""
    try:
        asked = time.time()
        info = engines.get(found.host, "/info", timeout=ASK_TIMEOUT)
        answered = time.time()
        return Answers(info, tuple(engines.get(found.host, "/containers/json?all=1", timeout=ASK_TIMEOUT)), asked, answered)
    except OSError:
        return None


def _running(directory: Path, stack: Stack | None, answers: Answers | None) -> frozenset[str]:
    """Return the running components. Avoids the runtime's own class, which creates folders."""
    if stack is None:
        return frozenset()
    if stack.runtime == NATIVE:
        return frozenset(name for name in stack.names if processes.running(directory, name))
    from labkit.stack import compose

    return frozenset(containers_of(answers, compose.project_of(directory)))


def containers_of(answers: Answers | None, project: str) -> dict[str, Mapping[str, Any]]:
    """Return the running containers of a compose project, by service."""
    containers = answers.containers if answers else ()
    return {
        str(c["Labels"].get("com.docker.compose.service", c["Id"][:12])): c
        for c in containers
        if c["Labels"].get("com.docker.compose.project") == project and c["State"] in ("running", "paused", "restarting")
    }
