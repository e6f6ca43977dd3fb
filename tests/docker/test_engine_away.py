"""A stack whose engine does not answer, whose container lost its network, or whose folder no engine can mount."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit.stack import compose
from tests.conftest import RunningStack
from tests.e2e.shop import get, new_customer
from tests.running import ROOT, Labkit

pytestmark = pytest.mark.docker


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of an engine that accepts connections and never answers, like a suspended one."""
    with tempfile.TemporaryDirectory(prefix="lk") as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/docker.sock")
        listener.listen(32)
        yield f"unix://{folder}/docker.sock"


def beside(stack: RunningStack, address: str) -> Labkit:
    """The same stack with the address of another engine."""
    return Labkit(stack.labkit.home, stack.labkit.name, {**stack.labkit.environment, "DOCKER_HOST": address})


def test_who_does_not_know_what_runs_does_not_say_that_it_stopped(stack: RunningStack, silent: str) -> None:
    told = beside(stack, silent)("status", ok=False)
    assert told.returncode == 2
    assert "The Docker engine does not answer" in told.stdout
    assert "stopped" not in told.stdout
    assert "0 containers" not in told.stdout
    assert "Next: labkit up" not in told.stdout
    assert stack.labkit.status()["ready"]


def test_a_reset_that_could_not_begin_is_not_finished_later(stack: RunningStack, silent: str) -> None:
    customer = new_customer(stack.url("gateway"), "15.00")
    for address in (silent, "unix:///nobody/docker.sock"):
        refused = beside(stack, address)("reset", "--yes", ok=False)
        assert refused.returncode == 1, refused.stdout
        assert "Docker" in refused.stderr
    assert "reset was interrupted" not in stack.labkit("status").stdout
    stack.labkit("up")
    assert get(f"{stack.url('gateway')}/customers/{customer}")["customerId"] == customer


def test_up_joins_a_container_that_somebody_took_off_its_network(stack: RunningStack) -> None:
    project = compose.project_of(stack.labkit.directory)
    labels = (f"com.docker.compose.project={project}", "com.docker.compose.service=orders")
    find = ["docker", "ps", "--quiet", *(f"--filter=label={label}" for label in labels)]
    container = subprocess.run(find, capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run(["docker", "network", "disconnect", f"{project}_default", container], capture_output=True, check=True)
    assert {c["name"]: c["state"] for c in stack.labkit.status()["components"]}["orders"] == "cut"
    stack.labkit("up")
    stack.labkit.when_ready()


def test_a_folder_that_docker_cannot_mount_is_told_before_anything_starts(new_labkit: Callable[..., Labkit], tmp_path: Path) -> None:
    folder = tmp_path / "10:30 o'clock"
    shutil.copytree(ROOT / "services", folder / "services", ignore=shutil.ignore_patterns("__pycache__"))
    labkit = new_labkit("own", LABKIT_RUNTIME="docker")
    refused = labkit("up", "--services", str(folder), ok=False)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[0] == f"Docker cannot mount {folder}: its path has a colon in it."
    assert not compose_has(labkit)


def compose_has(labkit: Labkit) -> str:
    label = f"label=com.docker.compose.project={compose.project_of(labkit.directory)}"
    return subprocess.run(["docker", "ps", "--all", "--quiet", "--filter", label], capture_output=True, text=True, check=True).stdout
