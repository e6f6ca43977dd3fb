"""The images of a session, built once with unchanged layers reused, and containers that are removed after the test."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.running import ROOT

BUILD_TIMEOUT = 280.0  # seconds


def run_labkit(*arguments: str, ok: bool = True, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs `labkit ARGUMENTS` without a terminal. With `ok`, any exit code but 0 fails the test."""
    done = subprocess.run(
        [sys.executable, "-m", "labkit", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0 or not ok, f"labkit {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done


def docker(*words: str, ok: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0 or not ok, f"docker {' '.join(words)}: {done.stderr}"
    return done.stdout.strip()


@pytest.fixture(scope="session")
def images() -> dict[str, Any]:
    """What a build reports about labkit's own images, by kind, including MySQL."""
    built = json.loads(run_labkit("images", "build", "--mysql", "mysql", "--json").stdout)["images"]
    return {image["kind"]: image for image in built}


@pytest.fixture(scope="session")
def mariadb(images: dict[str, Any]) -> dict[str, Any]:
    built = json.loads(run_labkit("images", "build", "--mysql", "mariadb", "--json").stdout)["images"]
    return next(image for image in built if image["kind"] == "mariadb")


@dataclass(frozen=True)
class Container:
    name: str

    def logs(self) -> str:
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    def run(self, *command: str, ok: bool = True) -> str:
        return docker("exec", self.name, *command, ok=ok)

    def succeeds(self, *command: str) -> bool:
        return subprocess.run(["docker", "exec", self.name, *command], capture_output=True, check=False).returncode == 0

    def becomes(self, condition: Callable[[], object], what: str, within: float = 90.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert self.state() == "running", f"{what}: the container is {self.state()}\n{self.logs()}"
            assert time.monotonic() < deadline, f"waited {within:.0f} s until {what}\n{self.logs()}"
            time.sleep(0.1)  # each look is two docker commands

    def state(self) -> str:
        return docker("inspect", "--format", "{{.State.Status}}", self.name)

    def kill(self) -> None:
        docker("kill", self.name)

    def stop(self) -> int:
        """Returns its exit code."""
        docker("stop", "--time", "30", self.name)
        return int(docker("inspect", "--format", "{{.State.ExitCode}}", self.name))

    def start(self) -> None:
        docker("start", self.name)


@pytest.fixture
def run_container() -> Iterator[Callable[..., Container]]:
    """Containers as compose.yaml runs them: read-only, no capabilities, an init, the labels of tests, and volumes removed with the
    container."""
    names: list[str] = []

    def run(image: str, *options: str, command: tuple[str, ...] = ()) -> Container:
        name = f"labkit-test-{uuid.uuid4().hex[:8]}"
        names.append(name)
        hardened = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--init", "--tmpfs", "/tmp")
        docker("run", "--detach", "--name", name, "--label", "labkit.stack=tests", *hardened, *options, image, *command)
        return Container(name)

    yield run
    for name in names:
        with suppress(AssertionError):
            docker("rm", "--force", "--volumes", name)


@pytest.fixture
def shared_folder(tmp_path: Path) -> Path:
    """A folder that a container's user may read and write."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    for parent in [tmp_path, *tmp_path.parents][:3]:
        with suppress(PermissionError):
            parent.chmod(parent.stat().st_mode | 0o055)
    return folder
