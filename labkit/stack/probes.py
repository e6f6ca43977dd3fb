"""Readiness probes: check from outside, through its endpoint, whether a component is ready."""

import json
import socket
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from labkit.account import Account
from labkit.stack import products, provision, start_times
from labkit.stack.model import Endpoint, Stack
from labkit.stack.readiness import Awaited, Probe
from labkit.stack.runtime import DOCKER, NATIVE, Runtime

# Seconds, or more if earlier starts took longer (see start_times.py). MySQL and the broker recover first after a kill. The official MySQL
# image takes time to create a data directory.
READY_TIMEOUT = {NATIVE: 30.0, DOCKER: 90.0}
MAX_ANSWER = 64 * 1024


def probe_of(stack: Stack, name: str, *, timeout: float = 1.0) -> Probe:
    product = products.of_component(stack.profile, name)
    if product is None:
        return partial(health, stack[name].endpoint, timeout)
    return partial(product.not_ready, product.account(stack, name), timeout)


def waiting_for(stack: Stack, runtime: Runtime, name: str, *, new_accounts: bool = False) -> Awaited:
    """Return how to wait for a component. With `new_accounts`, the probe of the database uses the access by which labkit creates the
    accounts.
    """
    probe = probe_of(stack, name)
    if name == "mysql" and new_accounts:
        probe = partial(mysql_first, runtime.first_access(stack))
    return Awaited(name, runtime, probe, start_timeout(stack, name), tuple(stack.ports_of(name)), name in stack.services)


def start_timeout(stack: Stack, name: str) -> float:
    """Return the seconds that a component may take to become ready. Raises UserError."""
    return start_times.timeout(stack.directory, name, READY_TIMEOUT[stack.runtime])


def mysql_first(accesses: Sequence[Account | Path], timeout: float = 1.0) -> str | None:
    why = ""
    for access in accesses:
        try:
            with provision.connected(access, timeout) as cursor:
                cursor.execute("SELECT 1")
            return None
        except OSError as error:
            why = why or f"it does not answer{'' if isinstance(access, Account) else ' on its socket'}: {error}"
    return why


def health(endpoint: Endpoint, timeout: float = 1.0) -> str | None:
    """GET /health. Returns None for status 200, else a phrase that says what is down."""
    try:
        with socket.create_connection((endpoint.host, endpoint.port), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(f"GET /health HTTP/1.1\r\nHost: {endpoint.host}\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while len(answer) < MAX_ANSWER and (part := connection.recv(MAX_ANSWER)):
                answer += part
    except OSError as error:
        return f"it does not answer at {endpoint}: {error}"
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 200"):
        return None
    try:
        components = json.loads(body)["components"]
        down = [f"{name} is down ({state['detail']})" if state.get("detail") else f"{name} is down" for name, state in components.items()
                if state["status"] != "UP"]  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError):
        down = []
    status = head.partition(b"\r\n")[0].decode(errors="replace")
    return ", ".join(down) or f"GET /health answers {status or 'nothing'}"
