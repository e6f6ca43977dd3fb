"""Unusable engines: each gives one sentence and the next step, from the doctor and from `labkit up --runtime docker`."""

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.doctor.examining import as_nobody, examined
from tests.running import Labkit

NewLabkit = Callable[..., Labkit]


@dataclass(frozen=True)
class Case:
    kind: str
    sentence: str
    fix: str
    environment: dict[str, str]


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    return tmp_path / "docker.sock"


def _missing(path: Path) -> Case:
    fix = "https://docs.docker.com/engine/install"
    return Case(
        "missing", "No Docker engine is installed", fix, {"DOCKER_HOST": f"unix://{path}", "PATH": str(Path(sys.executable).parent)}
    )


def _stopped(path: Path) -> Case:
    return Case("stopped", f"No Docker engine answers (no socket at unix://{path})", "sudo systemctl start docker", {})


def _dead(path: Path) -> Case:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    return Case("stopped", f"No Docker engine answers (no answer at {path})", "sudo systemctl start docker", {})


def _remote(_: Path) -> Case:
    return Case("remote", "tcp://192.0.2.1:2375", "unset DOCKER_HOST", {"DOCKER_HOST": "tcp://192.0.2.1:2375"})


@pytest.mark.parametrize("make", [_missing, _stopped, _dead, _remote])
def test_the_doctor_and_up_say_why_and_what_mends_it(new_labkit: NewLabkit, socket_path: Path, make: Callable[[Path], Case]) -> None:
    case = make(socket_path)
    labkit = new_labkit("own", LABKIT_RUNTIME="docker", DOCKER_HOST=f"unix://{socket_path}")
    labkit = Labkit(labkit.home, labkit.name, {**labkit.environment, **case.environment})

    report = examined(labkit)
    assert report.exit_code == 1
    assert report.in_the_way == {"docker.engine"}
    assert case.sentence in report["docker.engine"]["sentence"]
    assert case.fix in report["docker.engine"]["fix"]
    assert report["docker.engine"]["facts"]["kind"] == case.kind

    up = labkit("up", "--runtime", "docker", ok=False)
    assert up.returncode == 1
    sentence, next_step = up.stderr.splitlines()
    assert case.sentence in sentence
    assert next_step.startswith(f"Next: {case.fix}")
    assert next_step.endswith("; or without Docker: labkit up --runtime native")

    natively = examined(Labkit(labkit.home, labkit.name, {**labkit.environment, "LABKIT_RUNTIME": ""}))
    assert natively.exit_code == 0  # `up` can provide what it needs by itself
    assert natively["docker.engine"]["verdict"] == "note"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_a_socket_that_may_not_be_used_names_the_group(labkit: Labkit) -> None:
    folder = Path(f"/tmp/labkit-denied-{os.getpid()}")
    folder.mkdir()
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            path = folder / "docker.sock"
            listener.bind(str(path))
            path.chmod(0o660)
            listener.listen()
            home = {"LABKIT_HOME": str(folder / "home"), "DOCKER_HOST": f"unix://{path}", "LABKIT_RUNTIME": "docker"}
            (folder / "home").mkdir()
            os.chown(folder / "home", 65534, 65534)
            shown = as_nobody("doctor", **home)
            up = as_nobody("up", "--runtime", "docker", **home)
    finally:
        for entry in sorted(folder.rglob("*"), reverse=True):
            entry.rmdir() if entry.is_dir() else entry.unlink()
        folder.rmdir()
    assert f"✗ You may not use the Docker engine's socket unix://{path}." in shown.stdout
    assert "→ sudo usermod -aG docker $USER, then log in again" in shown.stdout
    assert shown.returncode == 1
    assert up.returncode == 1
    assert up.stderr.splitlines() == [
        f"You may not use the Docker engine's socket unix://{path}.",
        "Next: sudo usermod -aG docker $USER, then log in again; or without Docker: labkit up --runtime native",
    ]


@pytest.fixture
def silent_socket(socket_path: Path) -> Iterator[Path]:
    """Accepts connections and never answers."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path))
        listener.listen(32)
        yield socket_path


@pytest.fixture
def foreign_socket(socket_path: Path) -> Iterator[Path]:
    """A server that is not an engine."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path))
        listener.listen(32)

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    client.recv(65536)
                    client.sendall(b"220 mail.example ESMTP\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield socket_path
        listener.shutdown(socket.SHUT_RDWR)


def test_an_engine_that_hangs_ends_in_a_sentence(new_labkit: NewLabkit, silent_socket: Path) -> None:
    labkit = new_labkit("own", LABKIT_RUNTIME="docker", DOCKER_HOST=f"unix://{silent_socket}")
    report = examined(labkit)
    assert report.in_the_way == {"docker.engine"}
    assert "The Docker engine does not answer" in report["docker.engine"]["sentence"]


def test_what_is_no_engine_ends_in_a_sentence(new_labkit: NewLabkit, foreign_socket: Path) -> None:
    labkit = new_labkit("own", LABKIT_RUNTIME="docker", DOCKER_HOST=f"unix://{foreign_socket}")
    up = labkit("up", "--runtime", "docker", ok=False)
    assert up.returncode == 1
    assert "Traceback" not in up.stderr
    assert "No Docker engine answers" in up.stderr
    assert examined(labkit).in_the_way == {"docker.engine"}
