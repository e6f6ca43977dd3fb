"""Docker in tests: which tests are skipped without an engine, and a second, empty engine in a separate network."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from labkit import docker_engine
from tests.running import ROOT

REQUIRED = "LABKIT_REQUIRE_DOCKER"
ONE_AFTER_ANOTHER = ("docker", "images", "doctor")  # folders of tests
LONG = ("labs", "screens", "workspace", "verdict", "faults", "stack")  # folders of slow tests
_LEFT_OUT = pytest.StashKey[tuple[int, str]]()
_SCRIPT = str(ROOT / ".ci" / "engine")
_AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n", "--preserve-env=DOCKER_HOST,DOCKER_CONFIG"]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Where other processes collect the tests, this process reports what is missing."""
    if os.environ.get(REQUIRED) == "1" and session.config.getoption("numprocesses", None) and (why := _why_none()):
        raise pytest.UsageError(f"{REQUIRED}=1, and {why}")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Parallel runs (-n 2 --dist loadgroup) distribute files. All tests that use the engine's images or examine the machine form one group.
    This hook sets the groups: xdist reads them when the last item is collected."""
    alone = item.get_closest_marker("docker") or item.path.parent.name in ONE_AFTER_ANOTHER
    item.add_marker(pytest.mark.xdist_group("docker" if alone else item.nodeid.partition("::")[0]))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without an engine, the tests that need one are left out; with LABKIT_REQUIRE_DOCKER=1 that is an error.

    In parallel runs slow tests start first, so that no process works alone at the end.
    """
    needing = [item for item in items if item.get_closest_marker("docker")]
    if needing and (why := _why_none()):
        if os.environ.get(REQUIRED) == "1":
            raise pytest.UsageError(f"{REQUIRED}=1, and {why}")
        config.stash[_LEFT_OUT] = (len(needing), why)
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: ("@docker" not in item.nodeid, item.path.parent.name not in LONG))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fails when the installed pytest-xdist does not see these groups, because it would silently split them."""
    if hasattr(session.config, "workerinput") and not all("@" in item.nodeid for item in session.items):
        raise pytest.UsageError("This pytest-xdist does not see the groups of this pytest: tests of one stack would run side by side.")


def _why_none() -> str | None:
    """Why no Docker test can run, or None."""
    try:
        docker_engine.find()
        docker_engine.compose_version()
    except docker_engine.NoEngine as error:
        return error.message
    return None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker process reports to its controller what it left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left out"] = session.config.stash.get(_LEFT_OUT, (0, ""))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    count, why = getattr(node, "workeroutput", {}).get("left out", (0, ""))
    if count:
        node.config.stash[_LEFT_OUT] = (count, why)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    count, why = config.stash.get(_LEFT_OUT, (0, ""))
    if count:
        terminalreporter.write_line(f"{count} Docker tests were left out: {why}", yellow=True)


@dataclass(frozen=True)
class SecondEngine:
    """An engine with an empty data root, in a network namespace without a route."""

    host: str
    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"DOCKER_HOST": self.host}

    def inside(self, *command: str) -> Sequence[str]:
        """The command, wrapped to run in the engine's network."""
        pid = (self.directory / "pid").read_text().strip()
        return [*_AS_ROOT, "nsenter", f"--net=/proc/{pid}/ns/net", *command]

    def docker(self, *words: str) -> str:
        done = subprocess.run(["docker", "--host", self.host, *words], capture_output=True, text=True, check=True)
        return done.stdout

    def remove_images(self) -> None:
        identities = self.docker("images", "--all", "--quiet", "--no-trunc").split()
        if identities:
            subprocess.run(["docker", "--host", self.host, "rmi", "--force", *set(identities)], capture_output=True, check=False)


@pytest.fixture(scope="session")
def second_engine() -> Iterator[SecondEngine]:
    if shutil.which("dockerd") is None:
        pytest.skip("the engine in use is not this machine's, so there is no dockerd for a second one")
    directory = Path(tempfile.mkdtemp(prefix="lk"))
    # A separate network, so that it cannot disturb another engine's bridges and rules; nothing answers at this address.
    isolated = ["unshare", "--net", "bash", "-c", 'ip link set lo up && exec "$@"', "engine"]
    nobody = {**os.environ, "DOCKER_HOST": f"unix://{directory}/nobody.sock"}
    started = subprocess.run(
        [*_AS_ROOT, *isolated, _SCRIPT, "start", str(directory)], env=nobody, capture_output=True, text=True, check=False, timeout=120
    )
    try:
        assert started.returncode == 0, started.stderr
        yield SecondEngine(f"unix://{directory}/docker.sock", directory)
    finally:
        subprocess.run([_SCRIPT, "stop", str(directory)], env=nobody, check=False, timeout=120)
        shutil.rmtree(directory, ignore_errors=True)
