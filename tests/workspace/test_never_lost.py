"""A learner's work is never lost: every command that replaces it saves it first, even when killed half-way."""

from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.catalog import trees
from labkit.catalog.trees import Tree
from labkit.faults import kill_points
from labkit.workspace import changes, snapshots
from labkit.workspace.changes import WantedFiles
from labkit.workspace.learner_folder import Workspace
from tests.workspace.kit import Learner

PLACES = ("kept", "intended", "replacing", "manifest")
COMMANDS = (
    ("lab", "8", "start"),
    ("lab", "7", "reset", "--yes"),
    ("lab", "7", "solution", "--apply", "--yes"),
    ("reset", "--workspace", "--yes"),
    ("jump", "8", "--yes"),
)


def space_of(learner: Learner) -> Workspace:
    return Workspace(learner.folder, "own")


def work(learner: Learner) -> Tree:
    return changes.current(space_of(learner))


def kept(learner: Learner) -> list[Tree]:
    return [snapshot.files() for snapshot in snapshots.all_of(space_of(learner))]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_killed_in_the_middle_the_work_can_be_brought_back(
    at_lab_7: Learner, died: Callable[..., None], command: tuple[str, ...], place: str
) -> None:
    before = work(at_lab_7)
    died(*command, at=place)
    assert before in [*kept(at_lab_7), work(at_lab_7)]
    at_lab_7("lab", "7", "restore")
    assert work(at_lab_7) == before
    assert at_lab_7.read("notes.md") == "what I think\n"
    assert not (at_lab_7.folder / ".labkit/changing.json").exists()


@pytest.mark.parametrize("place", ["intended", "replacing"])
def test_a_change_that_was_interrupted_is_finished_and_told(at_lab_7: Learner, died: Callable[..., None], place: str) -> None:
    died("lab", "7", "solution", "--apply", "--yes", at=place)
    done = at_lab_7("lab", "7", "hint")
    assert "`labkit lab 7 solution --apply` was interrupted; its file changes are finished now." in done.stderr
    assert "# TODO: this is lab 7's" not in at_lab_7.read("services/orders/handlers.py")
    assert len(kept(at_lab_7)) == 1


def test_what_was_edited_since_the_interruption_is_kept_too(at_lab_7: Learner, died: Callable[..., None]) -> None:
    before = work(at_lab_7)
    died("lab", "8", "start", at="intended")
    at_lab_7.write("services/customers/handlers.py", "LATER = 1\n")
    later = work(at_lab_7)
    done = at_lab_7("lab", "7", "hint")
    assert "Your later edits are saved as lab-7-" in done.stderr
    assert kept(at_lab_7) == [before, later]


def test_what_is_saved_while_files_are_replaced_is_kept_too(at_lab_7: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    before = work(at_lab_7)

    def save(place: str) -> None:
        if place == "intended":
            at_lab_7.write("services/orders/handlers.py", "SAVED = 'meanwhile'\n")

    monkeypatch.setattr(kill_points, "reached", save)
    changes.replace(space_of(at_lab_7), WantedFiles(changes.START, 8), why="labkit lab 8 start")
    assert kept(at_lab_7)[0] == before
    assert kept(at_lab_7)[-1]["services/orders/handlers.py"] == b"SAVED = 'meanwhile'\n"
    assert work(at_lab_7)["services/orders/handlers.py"] == trees.reference()["services/orders/handlers.py"]


def test_a_lab_starts_with_the_reference_and_its_starter_alone(at_lab_7: Learner) -> None:
    changes.replace(space_of(at_lab_7), WantedFiles(changes.START, 8), why="labkit lab 8 start")
    found = trees.of_workspace(at_lab_7.folder, ["saga.yml"])
    expected = trees.reference()
    assert trees.changed(expected, found) == ["services/order_history/view.py"]
    assert b"lab 8's" in found["services/order_history/view.py"]
    assert at_lab_7.read("notes.md") == "what I think\n"


def test_what_was_not_edited_is_not_kept_and_nothing_is_kept_twice(learner: Learner) -> None:
    space = space_of(learner)
    for _ in range(2):
        for lab in (7, 8):
            assert changes.replace(space, WantedFiles(changes.START, lab), why="start").kept is None
    learner.write("services/orders/handlers.py", "MINE = 1\n")
    names = set()
    for _ in range(2):
        change = changes.replace(space, WantedFiles(changes.START, 8), why="start")
        assert change.kept is not None
        names.add(change.kept.name)
        changes.replace(space, WantedFiles(changes.SNAPSHOT, 8, change.kept.name), why="restore")
    assert len(names) == 1
    assert len(kept(learner)) == 1


def test_a_file_of_the_learners_in_the_place_of_a_labs_is_kept(learner: Learner) -> None:
    learner.write("saga.yml", "my own\n")
    change = changes.replace(space_of(learner), WantedFiles(changes.START, 7), why="start")
    assert change.kept is not None
    assert change.kept.files()["saga.yml"] == b"my own\n"
    assert learner.read("saga.yml") == "steps: []\n"


def written(path: Path) -> tuple[int, int]:
    """The file's identity and modification time; reading a file changes other parts of its entry."""
    found = path.stat()
    return found.st_ino, found.st_ctime_ns


def test_only_what_differs_is_written(at_lab_7: Learner) -> None:
    untouched = at_lab_7.folder / "services/customers/handlers.py"
    before = written(untouched)
    change = changes.replace(space_of(at_lab_7), WantedFiles(changes.START, 8), why="start")
    assert written(untouched) == before
    assert change.paths == ("saga.yml", "services/order_history/view.py", "services/orders/handlers.py", "services/orders/mine.py")


def test_a_damaged_snapshot_is_refused_and_the_files_stay(at_lab_7: Learner) -> None:
    before = work(at_lab_7)
    name = snapshots.keep(space_of(at_lab_7), {"services/a.py": b"a"}, lab=7, why="test").name
    (at_lab_7.folder / ".labkit/snapshots" / name / "files/services/a.py").write_text("b")
    done = at_lab_7("lab", "7", "restore", name, ok=False)
    assert done.returncode == 1
    assert f"The snapshot {name} has changed since labkit made it." in done.stderr
    assert work(at_lab_7) == before


def test_restore_lists_what_is_kept_and_takes_a_name(at_lab_7: Learner) -> None:
    first = work(at_lab_7)
    at_lab_7("lab", "7", "solution", "--apply", "--yes")
    at_lab_7.write("services/orders/handlers.py", "SECOND = 1\n")
    at_lab_7("lab", "7", "solution", "--apply", "--yes")
    listed = at_lab_7("lab", "7", "restore", "--list").stdout
    assert listed.count("saved by `labkit lab 7 solution --apply`") == 2
    oldest = listed.split()[0]
    at_lab_7("lab", "7", "restore", oldest)
    assert work(at_lab_7) == first
    done = at_lab_7("lab", "7", "restore", "nothing", ok=False)
    assert "There is no snapshot 'nothing'." in done.stderr


def test_two_changes_at_once_are_refused(at_lab_7: Learner) -> None:
    from labkit.workspace.learner_folder import changing

    with changing(space_of(at_lab_7)):
        done = at_lab_7("reset", "--workspace", "--yes", ok=False)
    assert done.returncode == 1
    assert "Another labkit command is changing the files" in done.stderr


def test_a_folder_where_a_file_is_to_be_is_told_and_the_next_command_goes_on(at_lab_7: Learner) -> None:
    before = work(at_lab_7)
    (at_lab_7.folder / "saga.yml").unlink()
    (at_lab_7.folder / "saga.yml").mkdir()
    done = at_lab_7("lab", "7", "solution", "--apply", "--yes", ok=False)
    assert done.returncode == 1
    assert "saga.yml is a folder" in done.stderr
    (at_lab_7.folder / "saga.yml").rmdir()
    at_lab_7("lab", "7", "restore")
    assert {**work(at_lab_7), "saga.yml": b""} == {**before, "saga.yml": b""}


def test_the_working_directory_may_be_deep_inside(at_lab_7: Learner) -> None:
    inside = Learner(at_lab_7.labkit, at_lab_7.kit, at_lab_7.folder / "services" / "orders")
    assert "7.2  Hold an order" in inside("lab", "7", "hint").stdout


def test_snapshots_hold_no_compiled_modules(at_lab_7: Learner) -> None:
    compiled = at_lab_7.folder / "services/orders/__pycache__/mine.cpython-313.pyc"
    compiled.parent.mkdir(exist_ok=True)
    compiled.write_bytes(b"x")
    changes.replace(space_of(at_lab_7), WantedFiles(changes.START, 8), why="start")
    assert not [path for tree in kept(at_lab_7) for path in tree if "__pycache__" in path]
    assert Path(at_lab_7.folder / "services/orders/handlers.py").is_file()
