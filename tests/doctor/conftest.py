import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from labkit import docker_engine as engines
from labkit.stack import port_claims
from tests.doctor.examining import BusyPort
from tests.running import DEFAULT_PORTS, Labkit

LISTEN = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); print('on', flush=True); time.sleep(600)"


@pytest.fixture(scope="session")
def engine() -> str:
    """The host of the engine that tests use."""
    return engines.find().host


@pytest.fixture
def docked(new_labkit: Callable[..., Labkit], engine: str) -> Labkit:
    """The command line for Docker, with its own stack, which does not run yet."""
    return new_labkit("own", LABKIT_RUNTIME="docker", DOCKER_HOST=engine)


@pytest.fixture
def busy_port(tmp_path: Path) -> Iterator[BusyPort]:
    """A process of ours on a default port that no stack has claimed; when others hold all these ports, one of their processes."""
    with port_claims.locked():
        taken = port_claims.of_others(tmp_path)
        found = next((found for port in DEFAULT_PORTS.values() if port not in taken and (found := _listening(port))), None)
    if found is not None:
        port, process = found
        with process:
            yield BusyPort.of(port, process.pid)
            process.kill()
        return
    theirs = _of_others()
    if not theirs:
        pytest.fail("every default port is held, and nobody tells by whom")
    yield theirs[0]


def _of_others() -> list[BusyPort]:
    """The ports, starting with the oldest process: other tests restart their components again and again."""
    found = []
    for connection in psutil.net_connections("tcp4"):
        at, pid = connection.laddr, connection.pid
        if connection.status == psutil.CONN_LISTEN and at and at.port in DEFAULT_PORTS.values() and pid:
            with suppress(psutil.Error):
                found.append((psutil.Process(pid).create_time(), at.port, pid))
    return [BusyPort.of(port, pid) for _, port, pid in sorted(found) if psutil.pid_exists(pid)]


def _listening(port: int) -> "tuple[int, subprocess.Popen[bytes]] | None":
    process = subprocess.Popen([sys.executable, "-c", LISTEN, str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    if process.stdout.readline() == b"on\n":
        return port, process
    process.communicate()
    return None
