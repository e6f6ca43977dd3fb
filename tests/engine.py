"""Docker in tests: what is left out where no engine answers, and a second engine, empty, in a network of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from labkit.stack import engine
from tests.running import ROOT

REQUIRED = "LABKIT_REQUIRE_DOCKER"
_LEFT_OUT = pytest.StashKey[tuple[int, str]]()
_SCRIPT = str(ROOT / ".ci" / "engine")
_AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n", "--preserve-env=DOCKER_HOST,DOCKER_CONFIG"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without an engine the tests that need one are left out; with LABKIT_REQUIRE_DOCKER=1 that is an error."""
    needing = [item for item in items if item.get_closest_marker("docker")]
    if not needing:
        return
    try:
        engine.find()
        engine.compose_version()
    except engine.NoEngine as error:
        if os.environ.get(REQUIRED) == "1":
            raise pytest.UsageError(f"{REQUIRED}=1, and {error.message}") from None
        config.stash[_LEFT_OUT] = (len(needing), error.message)
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    count, why = config.stash.get(_LEFT_OUT, (0, ""))
    if count:
        terminalreporter.write_line(f"{count} Docker tests were left out: {why}", yellow=True)


@dataclass(frozen=True)
class SecondEngine:
    """An engine whose data root was fresh, in a network namespace that leads nowhere."""

    host: str
    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"DOCKER_HOST": self.host}

    def inside(self, *command: str) -> Sequence[str]:
        """The command as it is run in the engine's network."""
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
    # Its own network first, so that it can disturb no other engine's bridges and rules; and nobody answers at this address.
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
