"""A labkit with test labs, and learners who work with it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit import paths
from labkit.commands.init import init
from labkit.workspace import changes
from labkit.workspace.changes import WantedFiles
from labkit.workspace.learner_folder import Workspace
from tests.running import Labkit
from tests.workspace import kit as kits
from tests.workspace.kit import Learner


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kits.make(tmp_path_factory.mktemp("kit"))


@pytest.fixture
def content(kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """labkit in this process also uses the kit's labs."""
    monkeypatch.setattr(paths, "content", lambda: kit)


@pytest.fixture
def learner(labkit: Labkit, kit: Path, tmp_path: Path, content: None) -> Learner:
    """A learner in her own workspace. Her stack was never started."""
    init(tmp_path / "workshop", labkit.name)
    return Learner(labkit, kit, tmp_path / "workshop")


@pytest.fixture
def at_lab_7(learner: Learner) -> Learner:
    """A learner at the start of lab 7, with an edit, her own file and a completed saga.yml."""
    changes.replace(Workspace(learner.folder, "own"), WantedFiles(changes.START, 7), why="labkit lab 7 start")
    learner.write("services/orders/handlers.py", learner.read("services/orders/handlers.py") + "\nMINE = 1\n")
    learner.write("services/orders/mine.py", "MINE = 2\n")
    learner.write("saga.yml", "steps: [mine]\n")
    learner.write("notes.md", "what I think\n")
    return learner


@pytest.fixture(scope="module")
def seat(labkit_home: Path, kit: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Learner]:
    """A learner with a running stack, shared by all tests of a module."""
    labkit = Labkit(labkit_home, f"seat-{tmp_path_factory.getbasetemp().name[-4:]}".lower().replace("_", "-"))
    folder = tmp_path_factory.mktemp("seat")
    Learner(labkit, kit, folder)("init", "workshop")
    found = Learner(labkit, kit, folder / "workshop")
    try:
        found("up")
        yield found
    finally:
        labkit("down", "--data")


@pytest.fixture
def died(learner: Learner) -> Callable[..., None]:
    """Runs a command that is killed at a given place, like kill -9."""

    def run(*arguments: str, at: str) -> None:
        assert learner(*arguments, ok=False, LABKIT_DIE_AT=at).returncode == -9

    return run
