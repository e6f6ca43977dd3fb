"""Ports on 127.0.0.1: the default one, or the next free one and who holds the default."""

import contextlib
import socket
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from labkit.account import LOOPBACK
from labkit.errors import UserError
from labkit.stack import port_claims, processes

TRIES = 200
FIRST_FREE = 20000  # where the search for a port without a default begins


class PortTaken(UserError):
    """A port that was free when it was chosen is not any more."""


@dataclass(frozen=True)
class Port:
    number: int
    note: str = ""  # why it is not the default


def is_free(port: int) -> bool:
    """Nobody listens there, and we may: TCP, and UDP for the relay's hint."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections in TIME_WAIT do not count
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                return False
    if sys.platform == "linux":
        return True
    with socket.socket() as probe:  # elsewhere one may bind beside a listener on 0.0.0.0
        probe.settimeout(0.2)
        return probe.connect_ex((LOOPBACK, port)) != 0


def first_held(numbers: Iterable[int]) -> int | None:
    """The first of these ports that is not free."""
    return next((port for port in numbers if not is_free(port)), None)


def choose(wanted: dict[str, int], stack: Path) -> dict[str, Port]:
    """A port for each name: the wanted one when it is free, else the next one that is; 0 wants any.

    The stack with this directory then has a claim to them (see claims.py), as long as this process lives, and once it is up until it is
    down."""
    with port_claims.locked():
        others = port_claims.of_others(stack)
        numbers = foresee(wanted, others)
        port_claims.make(stack, numbers.values())
    moved = {name: port for name, port in wanted.items() if port and numbers[name] != port}
    notes = {name: f"port {port} is held by {holder(port, others.get(port))}" for name, port in moved.items()}
    return {name: Port(number, notes.get(name, "")) for name, number in numbers.items()}


def foresee(wanted: dict[str, int], taken: Collection[int] = ()) -> dict[str, int]:
    """The numbers that `choose` would settle on now. Raises UserError when there is none for one of them."""
    found = {name: port for name, port in wanted.items() if port and port not in taken and is_free(port)}
    used = {*found.values(), *taken, *wanted.values()}
    for name, port in wanted.items():
        if name not in found:
            found[name] = _next_free(port + 1 if port else FIRST_FREE, used)
            used.add(found[name])
    return found


def _next_free(start: int, used: set[int]) -> int:
    for number in range(start, start + TRIES):
        if number not in used and number < 65536 and is_free(number):
            return number
    raise UserError(f"No port from {start} to {start + TRIES - 1} is free.", "stop what listens there: labkit down, ss -ltnp")


def holder(port: int, claimed_by: Path | None = None) -> str:
    """`java (pid 812)`, or the stack that it belongs to, whose process may not run at the moment."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("inet4"):
            listens = connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM
            if listens and connection.laddr and connection.laddr.port == port and connection.pid:
                name, stack = psutil.Process(connection.pid).name(), processes.stack_of(connection.pid)
                return f"{name} (pid {connection.pid}" + (f", stack {stack})" if stack else ")")
    return f"the stack {claimed_by.name}" if claimed_by else "another program"
