"""Each port with the process that holds it. A busy port is harmless: `labkit up` takes the next one."""

import contextlib
import shlex
import socket
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from labkit.doctor.findings import BAD, NOTE, OK, Finding
from labkit.doctor.subject import Subject
from labkit.errors import UserError
from labkit.stack import port_choice, port_claims, processes

SHOWN = 60  # characters of a command


@dataclass(frozen=True)
class PortHolder:
    """The holder of a port: the process, as far as this user may see it, and the stack or container that it belongs to."""

    pid: int | None = None
    name: str = "a program that only root can see"
    command: str = ""
    behind: str = ""

    def __str__(self) -> str:
        about = ", ".join(filter(None, (f"pid {self.pid}" if self.pid else "", self.behind)))
        command = f"{self.command[:SHOWN]}…" if len(self.command) > SHOWN else self.command
        return self.name + (f" ({about})" if about else "") + (f": {command}" if command else "")


def examine(subject: Subject) -> Iterator[Finding]:
    wanted = {each.name: each.port for each in subject.profile.parts}
    if subject.stack:
        wanted = {component.name: component.endpoint.port for component in subject.stack.components}
    free = {c for c, port in wanted.items() if port_choice.is_free(port)}
    ours = set(subject.running) - free
    for identifier, said, those in (("ports.ours", "This stack holds its ports", ours), ("ports.free", "Free", free)):
        numbers = {c: port for c, port in wanted.items() if c in those}
        if numbers:
            shown = ", ".join(f"{port} ({c})" for c, port in numbers.items())
            yield Finding(identifier, OK, f"{said}: {shown}.", facts={"ports": numbers})
    held = {c: port for c, port in wanted.items() if c not in free and c not in ours}
    if held:
        holders, instead = _holders(subject, set(held.values())), _instead(wanted, ours, subject.directory)
        for component, port in held.items():
            yield _held(component, port, holders.get(port), instead.get(component))


def _instead(wanted: Mapping[str, int], ours: Collection[str], directory: Path) -> Mapping[str, int]:
    """Return the ports that the next `labkit up` would take; empty if it would find none."""
    try:
        return port_choice.foresee(
            {component: port for component, port in wanted.items() if component not in ours}, port_claims.of_others(directory)
        )
    except UserError:
        return {}


def _held(component: str, port: int, holder: PortHolder | None, instead: int | None) -> Finding:
    who = holder or PortHolder()
    facts = {"port": port, "component": component, "pid": who.pid, "command": who.command, "behind": who.behind, "instead": instead}
    sentence = f"Port {port} ({component}) is held by {who}"
    if instead is None:
        return Finding(
            f"ports.{component}", BAD, f"{sentence}; none of the next {port_choice.TRIES} is free.", "ss -ltnp, and stop some", facts
        )
    show = "" if who.pid else f"sudo ss -ltnup 'sport = :{port}'"
    return Finding(f"ports.{component}", NOTE, f"{sentence}. labkit up takes {instead}.", show, facts)


def _holders(subject: Subject, numbers: set[int]) -> Mapping[int, PortHolder]:
    import psutil

    containers = _containers(subject)
    found = {number: PortHolder(behind=containers[number]) for number in numbers if number in containers}
    with contextlib.suppress(psutil.Error, OSError):  # macOS shows this only to root
        for connection in psutil.net_connections("inet"):
            listens = connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM
            number = connection.laddr.port if listens and connection.laddr else 0
            if number in numbers and connection.pid:
                with contextlib.suppress(psutil.Error, OSError):
                    process = psutil.Process(connection.pid)
                    stack = processes.stack_of(process.pid)
                    behind = containers.get(number) or (f"stack {stack}" if stack else "")
                    found[number] = PortHolder(process.pid, process.name(), shlex.join(process.cmdline()), behind)
    return found


def _containers(subject: Subject) -> Mapping[int, str]:
    """Return the containers that publish ports of this machine."""
    published: dict[int, str] = {}
    for container in subject.answers.containers if subject.answers else ():
        for mapping in container.get("Ports") or []:
            if mapping.get("PublicPort"):
                published[int(mapping["PublicPort"])] = f"container {str(container['Names'][0]).lstrip('/')}"
    return published
