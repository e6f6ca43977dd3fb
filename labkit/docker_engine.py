"""This machine's Docker engine: find it, decide whether labkit can use it (and if not, why), and call its API.

The availability check does not use the docker SDK: importing it takes a quarter of a second, and every `labkit up` checks.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import UserError

if TYPE_CHECKING:
    import docker

DEFAULT_SOCKETS = ("/var/run/docker.sock", "~/.docker/run/docker.sock", "~/.docker/desktop/docker.sock", "~/.colima/default/docker.sock")
OLDEST_ENGINE, OLDEST_COMPOSE = (20, 10), (2, 20)
UPDATE = "sudo apt-get install --only-upgrade docker-ce, or update Docker Desktop (https://docs.docker.com/engine/install)"
NATIVELY = "or without Docker: labkit up --runtime native"
PING_TIMEOUT = 2.0  # seconds
COMPOSE_TIMEOUT = 120.0

MISSING, STOPPED, DENIED, REMOTE, OLD, NO_COMPOSE = "missing", "stopped", "denied", "remote", "old", "no compose"
SILENT = "silent"  # accepts the connection but does not answer, so it is unknown what runs


class NoEngine(UserError):
    """labkit can use no engine. `kind` is one of this module's constants. The message gives the reason, the next step the remedy."""

    def __init__(self, kind: str, message: str, next_step: str) -> None:
        super().__init__(message, next_step)
        self.kind = kind


class Refused(Exception):
    """The engine refused the request. The message gives the reason."""


@dataclass(frozen=True)
class Engine:
    """An engine that answers. `architecture` is Docker's name for it: amd64, arm64."""

    host: str  # for example unix:///var/run/docker.sock
    version: str
    architecture: str

    @property
    def socket(self) -> Path:
        return Path(self.host.removeprefix("unix://"))


def find() -> Engine:
    """Return the engine that the docker command would use. Raises NoEngine."""
    host = _host()
    if not host.startswith("unix://"):
        raise NoEngine(REMOTE, f"The Docker engine at {host} is not reached through a socket on this machine.", "unset DOCKER_HOST")
    try:
        answer = get(host, "/version")
    except PermissionError:
        raise NoEngine(
            DENIED, f"You may not use the Docker engine's socket {host}.", "sudo usermod -aG docker $USER, then log in again"
        ) from None
    except OSError as error:
        raise _no_answer(host, error) from None
    engine = Engine(host, str(answer["Version"]), str(answer["Arch"]))
    if _numbers(engine.version) < OLDEST_ENGINE:
        raise NoEngine(OLD, f"The Docker engine is {engine.version}; labkit needs {_dotted(OLDEST_ENGINE)} or later.", UPDATE)
    return engine


def _no_answer(host: str, error: OSError) -> NoEngine:
    path = host.removeprefix("unix://")
    if isinstance(error, TimeoutError):
        return silent(path)
    why = "no socket" if isinstance(error, FileNotFoundError) else "no answer"
    if isinstance(error, FileNotFoundError) and not shutil.which("docker"):
        return NoEngine(
            MISSING, f"No Docker engine is installed (no docker command, no socket at {host}).", "https://docs.docker.com/engine/install"
        )
    start = "open -a Docker" if Path("/Applications/Docker.app").exists() else "sudo systemctl start docker, or start Docker Desktop"
    return NoEngine(STOPPED, f"No Docker engine answers ({why} at {path if why == 'no answer' else host}).", start)


def silent(socket_path: str) -> NoEngine:
    message = f"The Docker engine does not answer: it accepts the connection at {socket_path} but sends nothing."
    return NoEngine(SILENT, message, "wait, or restart Docker (sudo systemctl restart docker), then run the same command again")


def _host() -> str:
    """Return DOCKER_HOST, else the current context's host, else the first existing socket of the usual ones."""
    if named := os.environ.get("DOCKER_HOST"):
        return named
    config = Path(os.environ.get("DOCKER_CONFIG") or "~/.docker").expanduser()
    context = os.environ.get("DOCKER_CONTEXT") or _read_json(config / "config.json").get("currentContext")
    if context and context != "default":
        meta = _read_json(config / "contexts/meta" / hashlib.sha256(context.encode()).hexdigest() / "meta.json")
        host = meta.get("Endpoints", {}).get("docker", {}).get("Host")
        if host:
            return str(host)
    sockets = [Path(path).expanduser() for path in DEFAULT_SOCKETS]
    return f"unix://{next((path for path in sockets if path.exists()), sockets[0])}"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def get(host: str, path: str, *, timeout: float = PING_TIMEOUT) -> Any:
    """GET from the engine's API. Returns the JSON answer. Raises OSError when there is no answer or an error status."""
    status, answer = _request(host, "GET", path, None, timeout)
    if status != 200:
        raise OSError(f"the engine answers {status} to {path}")
    return answer


def post(host: str, path: str, body: dict[str, Any] | None = None, *, timeout: float) -> Any:
    """POST to the engine's API. Status 304 (already in that state) counts as success. Raises Refused, or OSError without an answer."""
    status, answer = _request(host, "POST", path, body, timeout)
    if status >= 400:
        raise Refused(answer.get("message", f"it answers {status}") if isinstance(answer, dict) else f"it answers {status}")
    return answer


def _request(host: str, method: str, path: str, body: dict[str, Any] | None, timeout: float) -> tuple[int, Any]:
    # a native stack needs none of this
    from http.client import HTTPException

    from labkit.unix_connection import UnixConnection

    connection = UnixConnection(host.removeprefix("unix://"), timeout)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None
    except (HTTPException, ValueError) as error:
        raise OSError(f"what answers is not a Docker engine: {error}") from error
    finally:
        connection.close()


def client(engine: Engine) -> "docker.DockerClient":
    """Return a docker SDK client for this engine."""
    import docker

    return docker.DockerClient(base_url=engine.host, timeout=60)


def quoted(text: str) -> str:
    """Quote text for a URL query."""
    from urllib.parse import quote

    return quote(text)


def memory_mb(engine: Engine) -> float:
    """Return the memory of the engine's machine, which may be a virtual one, in megabytes."""
    return float(get(engine.host, "/info", timeout=10.0)["MemTotal"]) / 1e6


def compose_version() -> str:
    """Return the version of the docker command's compose plugin. Raises NoEngine when it is missing or too old."""
    done = run(["docker", "compose", "version", "--short"])
    version = done.stdout.strip().removeprefix("v")
    if done.returncode != 0 or not version[:1].isdigit():
        if shutil.which("docker") is None:
            raise NoEngine(MISSING, "There is no docker command.", "https://docs.docker.com/engine/install")
        raise NoEngine(
            NO_COMPOSE,
            "The docker command has no compose plugin.",
            "sudo apt-get install docker-compose-plugin (https://docs.docker.com/compose/install)",
        )
    if _numbers(version) < OLDEST_COMPOSE:
        raise NoEngine(
            OLD,
            f"Docker Compose is {version}; labkit needs {_dotted(OLDEST_COMPOSE)} or later.",
            "sudo apt-get install --only-upgrade docker-compose-plugin, or update Docker Desktop",
        )
    return version


def run(
    command: Sequence[str], *, environment: dict[str, str] | None = None, timeout: float = COMPOSE_TIMEOUT
) -> "subprocess.CompletedProcess[str]":
    """Run a docker command and capture its output. The exit code is 127 when the command does not exist."""
    try:
        return subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(list(command), 127, "", f"{command[0]} is not on this machine")


def _numbers(version: str) -> tuple[int, int]:
    parts = [int("".join(filter(str.isdigit, part)) or 0) for part in version.split(".")[:2]]
    return parts[0], parts[1] if len(parts) > 1 else 0


def _dotted(numbers: tuple[int, int]) -> str:
    return ".".join(map(str, numbers))
