"""What earlier work left behind: other stacks, interrupted commands, faults, and remains of stacks whose folder is gone."""

import json
import os
import shlex
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit import docker_engine, paths
from labkit.doctor.findings import BAD, NOTE, OK, Finding
from labkit.doctor.subject import ASK_TIMEOUT, Subject, containers_of
from labkit.errors import Damaged
from labkit.faults.ledger import Ledger
from labkit.stack import compose, lifecycle, processes, stack_names, state
from labkit.stack.model import Stack
from labkit.stack.runtime import DOCKER, WHAT_RUNS

REMOVE = {"container": "docker rm -f", "network": "docker network rm", "volume": "docker volume rm"}  # order matters: containers first
PROJECT = "com.docker.compose.project"


def examine(subject: Subject) -> Iterator[Finding]:
    problems = [*_stacks(subject), *_strays(subject), *_of_the_engine(subject)]
    yield from problems
    if not problems:
        yield Finding("leftovers", OK, "Nothing is left of earlier work.")


def _stacks(subject: Subject) -> Iterator[Finding]:
    """Examine the stacks under LABKIT_HOME."""
    folders = sorted(paths.home().glob("stacks/*/"))
    for directory in folders:
        name = directory.name
        option = stack_names.named(name)
        if at_work := _at_work(directory):
            yield Finding(f"stack.{name}.lock", NOTE, f"{at_work} is at work on the stack {name!r}.")
        if intent := lifecycle.reset_intent(directory):
            what = "A removal of its data" if intent == lifecycle.RESET_ALL else "A reset"
            sentence = f"{what} was interrupted on the stack {name!r}; the next up finishes it."
            yield Finding(f"stack.{name}.reset", NOTE, sentence, f"labkit up{option}")
        for fault in faults(directory):
            sentence = f"An earlier fault is still set in the stack {name!r}: {fault}."
            yield Finding(f"stack.{name}.fault", NOTE, sentence, f"labkit heal{option}")
        try:
            stack = state.find(name)
        except Damaged as damaged:
            sentence = f"The description of the stack {name!r} is damaged: {damaged.message}"
            yield Finding(f"stack.{name}", BAD if name == subject.name else NOTE, sentence, damaged.next_step or "")
            continue
        yield from _stack(subject, name, directory, stack, option)


def _stack(subject: Subject, name: str, directory: Path, stack: Stack | None, option: str) -> Iterator[Finding]:
    if stack is None:
        if (directory / "data").exists() or processes.marked(directory):
            sentence = f"The first up of the stack {name!r} was interrupted."
            yield Finding(f"stack.{name}", NOTE, sentence, f"labkit up{option}, or labkit down --data{option}")
        return
    if name == subject.name:
        return
    if stack.runtime == DOCKER:
        running = set(containers_of(subject.answers, compose.project_of(directory)))
    else:
        running = {component for component in stack.names if processes.running(directory, component)}
    if running:
        sentence = f"The stack {name!r} is also running: {len(running)} {WHAT_RUNS[stack.runtime]}."
        yield Finding(f"stack.{name}", NOTE, sentence, f"labkit status{option}", {"running": sorted(running)})


def _at_work(directory: Path) -> str | None:
    """Return the command that holds the stack's lock, as the lock file names it. The lock itself is not touched."""
    try:
        text = (directory / "lock").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    digits = text.partition("(pid ")[2].partition(",")[0]
    return text if digits.isdigit() and Path(f"/proc/{digits}").exists() and int(digits) != os.getpid() else None


def faults(directory: Path) -> list[str]:
    """Return the open faults, each as a phrase."""
    return [f"fault {fault.id}: {fault.said}" for fault in Ledger(directory).open()]


def _strays(subject: Subject) -> Iterator[Finding]:
    """Find processes of stacks outside LABKIT_HOME."""
    found: dict[Path, list[int]] = defaultdict(list)
    for pid, directory in _marked():
        if directory.parent != paths.home() / "stacks" or not directory.is_dir():
            found[directory].append(pid)
    for directory, pids in sorted(found.items()):
        facts = {"directory": str(directory), "pids": sorted(pids)}
        if not directory.is_dir():
            sentence = f"{len(pids)} processes of a stack whose folder {directory} is gone still run."
            yield Finding("strays", NOTE, sentence, f"kill {' '.join(map(str, sorted(pids)))}", facts)
        elif directory.parent.name == "stacks":
            fix = f"LABKIT_HOME={shlex.quote(str(directory.parents[1]))} labkit status --name {directory.name}"
            yield Finding("strays.home", NOTE, f"A stack of another labkit home runs: {len(pids)} processes of {directory}.", fix, facts)


def _marked() -> Iterator[tuple[int, Path]]:
    """Yield every process of any stack that this user may see."""
    start = f"{processes.MARKER}=".encode()
    for pid, environment in processes.environments():
        for entry in environment:
            if entry.startswith(start) and pid != os.getpid():
                yield pid, Path(os.fsdecode(entry.removeprefix(start)))


def _of_the_engine(subject: Subject) -> Iterator[Finding]:
    """Find containers, networks and volumes that compose made for a stack whose folder is gone."""
    if subject.engine is None or subject.answers is None:
        return
    gone: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    where: dict[str, str] = {}
    for what, name, labels in _labelled(subject):
        directory = labels.get(compose.DIRECTORY_LABEL)
        if directory and not Path(directory).is_dir():
            gone[labels[PROJECT]][what].append(name)
            where[labels[PROJECT]] = directory
    for project, things in sorted(gone.items()):
        fix = " && ".join(f"{command} {' '.join(things[what])}" for what, command in REMOVE.items() if what in things)
        counted = ", ".join(f"{len(things[what])} {what}{'s' if len(things[what]) > 1 else ''}" for what in REMOVE if what in things)
        sentence = f"The Docker engine still has {counted} of a stack whose folder {where[project]} is gone."
        yield Finding("strays.engine", NOTE, sentence, fix, {"project": project, **things})


def _labelled(subject: Subject) -> Iterator[tuple[str, str, dict[str, str]]]:
    assert subject.engine is not None
    assert subject.answers is not None
    for container in subject.answers.containers:
        yield "container", str(container["Names"][0]).lstrip("/"), dict(container["Labels"])
    query = docker_engine.quoted(json.dumps({"label": [compose.DIRECTORY_LABEL]}))
    networks: list[Any] = docker_engine.get(subject.engine.host, f"/networks?filters={query}", timeout=ASK_TIMEOUT)
    volumes: dict[str, Any] = docker_engine.get(subject.engine.host, f"/volumes?filters={query}", timeout=ASK_TIMEOUT)
    for network in networks:
        yield "network", network["Name"], network["Labels"]
    for volume in volumes["Volumes"] or []:
        yield "volume", volume["Name"], volume["Labels"]
