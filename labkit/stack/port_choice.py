"""Choose ports on 127.0.0.1: the default port, or the next free one and a note that names the holder of the default."""

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
FIRST_FREE = 20000  # where the search begins for a port that has no default


class PortTaken(UserError):
    """A port that was free when it was chosen is now in use."""


@dataclass(frozen=True)
class Port:
    number: int
    note: str = ""  # why it is not the default


def is_free(port: int) -> bool:
    """Whether nothing listens on the port and labkit may use it. Checks TCP, and UDP for the relay's hint."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ignore connections in TIME_WAIT
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                return False
    if sys.platform == "linux":
        return True
    with socket.socket() as probe:  # elsewhere, a bind succeeds beside a listener on 0.0.0.0
        probe.settimeout(0.2)
        return probe.connect_ex((LOOPBACK, port)) != 0


def first_held(numbers: Iterable[int]) -> int | None:
    """Return the first of these ports that is not free, or None."""
    return next((port for port in numbers if not is_free(port)), None)


def choose(wanted: dict[str, int], stack: Path) -> dict[str, Port]:
    """Choose a port for each name: the wanted port if it is free, else the next free one. 0 accepts any port.

    Claims the ports for the stack in this directory (see port_claims.py): while this process lives, and after the stack is up until it is
    down. Raises UserError.
    """
    with port_claims.locked():
        others = port_claims.of_others(stack)
        numbers = foresee(wanted, others)
        port_claims.make(stack, numbers.values())
    moved = {name: port for name, port in wanted.items() if port and numbers[name] != port}
    notes = {name: f"port {port} is held by {holder(port, others.get(port))}" for name, port in moved.items()}
    return {name: Port(number, notes.get(name, "")) for name, number in numbers.items()}


def foresee(wanted: dict[str, int], taken: Collection[int] = ()) -> dict[str, int]:
    """Return the ports that `choose` would choose now. Raises UserError when there is no free port for one of the names."""
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
    """Return the program that holds the port, like `java (pid 812)`, or the stack that claims it."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("inet4"):
            listens = connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM
            if listens and connection.laddr and connection.laddr.port == port and connection.pid:
                name, stack = psutil.Process(connection.pid).name(), processes.stack_of(connection.pid)
                return f"{name} (pid {connection.pid}" + (f", stack {stack})" if stack else ")")
    return f"the stack {claimed_by.name}" if claimed_by else "another program"
