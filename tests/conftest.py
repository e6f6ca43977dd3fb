"""One stack for all tests, started through the command line. The path of its LABKIT_HOME contains a space."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine import (
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_itemcollected,
    pytest_sessionfinish,
    pytest_sessionstart,
    pytest_terminal_summary,
    pytest_testnodedown,
    second_engine,
)
from tests.running import ROOT, Labkit, RunningStack

# A shell's background processes ignore Ctrl-C, and every labkit that a test starts and interrupts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The terminal of the person who runs the tests must not matter: a test that needs a size sets it. (pytest-xdist also sets COLUMNS.)
for name in ("COLUMNS", "LINES", "NO_COLOR", "PAGER"):
    os.environ.pop(name, None)

__all__ = [
    "RunningStack",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_itemcollected",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_terminal_summary",
    "pytest_testnodedown",
    "second_engine",
]


@pytest.fixture(scope="session")
def labkit_home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="labkit test "))
    yield home
    shutil.rmtree(home, ignore_errors=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that uses a stack runs natively. A test marked both_runtimes also runs on Docker. LABKIT_TEST_RUNTIME=docker runs all tests
    there."""
    if "runtime" in metafunc.fixturenames:
        docker = pytest.param("docker", marks=pytest.mark.docker)
        native = metafunc.definition.get_closest_marker("native") is not None
        both = metafunc.definition.get_closest_marker("both_runtimes") is not None and not native
        only_docker = os.environ.get("LABKIT_TEST_RUNTIME") == "docker" and not native
        only_docker = only_docker or metafunc.definition.get_closest_marker("docker") is not None
        names = [docker] if only_docker else ["native", docker] if both else ["native"]
        metafunc.parametrize("runtime", names, scope="session")


@pytest.fixture(scope="session")
def shared_stack(labkit_home: Path, runtime: str) -> Iterator[RunningStack]:
    labkit = Labkit(labkit_home, {"native": "shared", "docker": "docked"}[runtime], {"LABKIT_RUNTIME": runtime})
    try:
        labkit("up")
        yield RunningStack(labkit)
    finally:
        labkit("down", "--data")


@pytest.fixture
def stack(shared_stack: RunningStack) -> RunningStack:
    """The shared stack, repaired if the previous test broke it. Its addresses are read again, because a `down` may change them."""
    status = shared_stack.labkit.facts()
    if status is None or not status["ready"]:
        shared_stack.labkit("up")
        status = shared_stack.labkit.status()
    return RunningStack(shared_stack.labkit, status)


@pytest.fixture
def new_labkit(labkit_home: Path) -> Iterator[Callable[..., Labkit]]:
    """Makes command lines with their own stacks, which are removed after the test."""
    made: list[Labkit] = []

    def make(name: str, **environment: str) -> Labkit:
        labkit = Labkit(labkit_home, name, environment)
        made.append(labkit)
        return labkit

    yield make
    for labkit in made:
        labkit("down", "--data")


@pytest.fixture
def up_with_mistake(new_labkit: Callable[..., Labkit], tmp_path: Path) -> Callable[[str, str, str], Labkit]:
    """Brings up a stack whose services have one text of one file (in services/) replaced."""

    def up(file: str, right: str, wrong: str) -> Labkit:
        shutil.copytree(ROOT / "services", tmp_path / "services")
        path = tmp_path / "services" / file
        text = path.read_text()
        assert text.count(right) == 1
        path.write_text(text.replace(right, wrong))
        labkit = new_labkit("broken", LABKIT_RUNTIME="native")
        labkit("up", "--services", str(tmp_path))
        return labkit

    return up


@pytest.fixture
def labkit(new_labkit: Callable[..., Labkit]) -> Labkit:
    """The command line with its own stack, which does not run yet."""
    return new_labkit("own")
