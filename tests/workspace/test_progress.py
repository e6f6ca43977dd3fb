"""Progress: what counts towards it, and the handling of files that labkit did not write."""

import json
from pathlib import Path

import pytest

from labkit.catalog.labs import find_lab
from labkit.commands.progress import merge
from labkit.workspace import lab_status, progress
from labkit.workspace.learner_folder import Workspace
from labkit.workspace.progress import AFTER_SOLUTION, PASSED, SKIPPED, CheckVerdict, Progress
from tests.doctor.examining import as_nobody
from tests.doctor.test_machine import as_root
from tests.workspace.kit import Learner


@pytest.fixture
def space(learner: Learner) -> Workspace:
    return Workspace(learner.folder, "own")


def judged(space: Workspace, *results: CheckVerdict, lab: int = 7) -> None:
    progress.record_checks(space, lab, results, given=find_lab(lab).given, seed=5, digests={"orders": "d1"})


def states(space: Workspace, lab: int = 7) -> dict[str, str]:
    return lab_status.of_lab(find_lab(lab), progress.load(space)).checks


def test_passed_given_and_open_are_kept_apart(space: Workspace) -> None:
    judged(space, CheckVerdict("7.1", "pass"), CheckVerdict("7.2", "pass"), CheckVerdict("7.3", "fail", "Order 4 is PENDING."))
    assert states(space) == {"7.1": "given", "7.2": PASSED, "7.3": "open"}
    now = lab_status.of_lab(find_lab(7), progress.load(space))
    assert (now.counted, now.state) == ((1, 2), "started")
    failure = progress.load(space).lab(7).checks["7.3"].failure
    assert failure is not None
    assert (failure.sentence, failure.seed) == ("Order 4 is PENDING.", 5)


def test_what_was_passed_stays_passed(space: Workspace) -> None:
    judged(space, CheckVerdict("7.2", "pass"))
    judged(space, CheckVerdict("7.2", "fail", "no more"))
    assert states(space)["7.2"] == PASSED
    assert progress.load(space).lab(7).checks["7.2"].last == "fail"


def test_unknown_is_no_pass(space: Workspace) -> None:
    judged(space, CheckVerdict("7.2", "unknown"))
    assert states(space)["7.2"] == "open"


def test_a_pass_after_the_solution_is_told_apart_and_an_earlier_one_stays(at_lab_7: Learner) -> None:
    space = Workspace(at_lab_7.folder, "own")
    judged(space, CheckVerdict("7.2", "pass"))
    at_lab_7("lab", "7", "solution", "--diff")
    judged(space, CheckVerdict("7.2", "pass"), CheckVerdict("7.3", "pass"))
    assert states(space) == {"7.1": "given", "7.2": PASSED, "7.3": AFTER_SOLUTION}
    assert lab_status.of_lab(find_lab(7), progress.load(space)).state == AFTER_SOLUTION
    assert "passed after solution" in at_lab_7("labs").stdout


def test_what_jump_skipped_can_still_be_passed(space: Workspace) -> None:
    progress.change(space, lambda found: found.lab(7).checks.update({"7.2": progress.CheckRecord(state=SKIPPED)}))
    judged(space, CheckVerdict("7.2", "pass"))
    assert states(space)["7.2"] == PASSED


def test_a_lab_that_is_not_there_is_kept_and_told(learner: Learner, space: Workspace) -> None:
    judged(space, CheckVerdict("7.2", "pass"))
    data = json.loads(progress.path_of(space).read_text())
    data["labs"]["99"] = {"checks": {"99.1": {"state": "passed", "when": 1.0}}}
    progress.path_of(space).write_text(json.dumps(data))
    assert "7.2" in learner("report").stdout
    assert "Lab 99: this labkit does not have it; its progress is preserved." in learner("report").stdout
    judged(space, CheckVerdict("7.3", "pass"))
    assert json.loads(progress.path_of(space).read_text())["labs"]["99"]["checks"]["99.1"]["state"] == "passed"


def test_a_renamed_lab_and_check_are_the_same_by_number(space: Workspace) -> None:
    judged(space, CheckVerdict("7.2", "pass"), CheckVerdict("7.17", "pass"))
    assert states(space)["7.2"] == PASSED
    judged(space, CheckVerdict("7.3", "pass"))
    assert progress.load(space).lab(7).checks["7.17"].state == PASSED  # a check from another version


@pytest.mark.parametrize(
    ("old", "passed"),
    [
        ({"format": 0, "passed": ["7.2"]}, None),
        ({"format": 1, "passed": {"7.2": 123.0}}, 123.0),
    ],
)
def test_a_file_of_an_older_format_is_read_and_written_anew(space: Workspace, old: dict[str, object], passed: float | None) -> None:
    progress.path_of(space).write_text(json.dumps(old))
    assert states(space)["7.2"] == PASSED
    judged(space, CheckVerdict("7.3", "pass"))
    written = json.loads(progress.path_of(space).read_text())
    assert written["format"] == progress.FORMAT
    assert written["labs"]["7"]["checks"]["7.2"].get("when") == passed
    assert json.loads((space.labkit_folder / "progress.previous.json").read_text()) == old


def test_a_file_of_a_later_labkit_is_not_touched(learner: Learner, space: Workspace) -> None:
    text = json.dumps({"format": 99, "what": "ever"})
    progress.path_of(space).write_text(text)
    for command in (["labs"], ["report"], ["lab", "7", "hint"]):
        done = learner(*command, ok=False)
        assert done.returncode == 1
        assert "is of a later labkit (format 99" in done.stderr
        assert "Traceback" not in done.stderr
    assert progress.path_of(space).read_text() == text


@pytest.mark.parametrize("broken", ["", '{"format": 2, "labs": {"7": {"che', "[]", '{"format": 2, "labs": {"7": 3}}', "\x00\xff"])
def test_a_file_that_was_cut_off_is_kept_and_the_one_before_it_is_used(learner: Learner, space: Workspace, broken: str) -> None:
    judged(space, CheckVerdict("7.2", "pass"))
    judged(space, CheckVerdict("7.3", "fail", "x"))
    progress.path_of(space).write_text(broken)
    done = learner("labs")
    assert "the progress from before the last change is used" in done.stderr
    assert "1 of 2 passed" in done.stdout
    assert [path.read_text() for path in space.labkit_folder.glob("progress.broken-*.json")] == [broken]
    assert "cannot be read" not in learner("labs").stderr


def test_without_a_copy_progress_begins_anew_and_nothing_is_lost(learner: Learner, space: Workspace) -> None:
    progress.path_of(space).write_text("{")
    done = learner("labs")
    assert "your progress starts over, your files are unchanged" in done.stderr
    assert [path.read_text() for path in space.labkit_folder.glob("progress.broken-*.json")] == ["{"]


@as_root
def test_a_folder_that_may_not_be_written_is_told_and_nothing_changes(learner: Learner) -> None:
    before = {path: path.read_bytes() for path in learner.folder.rglob("*") if path.is_file()}
    for path in (learner.kit, learner.folder, *learner.folder.parents):
        if path != Path("/"):
            path.chmod(path.stat().st_mode | 0o555)
    for command in (["lab", "8", "hint"], ["reset", "--workspace", "--yes"], ["lab", "7", "solution", "--apply", "--yes"]):
        done = as_nobody(*command, cwd=learner.folder, PYTHONPATH=str(learner.kit))
        if command[2] == "hint":
            assert "no hints" in done.stdout
            continue
        assert done.returncode == 1
        assert "cannot be written: Permission denied" in done.stderr
        assert done.stderr.splitlines()[-1].startswith(f"Next: make {learner.folder} writable")
    assert {path: path.read_bytes() for path in learner.folder.rglob("*") if path.is_file()} == before


def test_export_and_import_merge(learner: Learner, space: Workspace, tmp_path: Path, kit: Path) -> None:
    judged(space, CheckVerdict("7.2", "pass"))
    learner("progress", "export", str(tmp_path / "mine.json"))
    progress.replace(space, Progress())
    judged(space, CheckVerdict("7.3", "pass"))
    learner("progress", "import", str(tmp_path / "mine.json"))
    assert states(space) == {"7.1": "given", "7.2": PASSED, "7.3": PASSED}
    (tmp_path / "broken.json").write_text("{")
    done = learner("progress", "import", str(tmp_path / "broken.json"), ok=False)
    assert done.returncode == 1
    assert "is not a progress file of labkit" in done.stderr
    assert "There is no file" in learner("progress", "import", "nowhere.json", ok=False).stderr


def test_merging_takes_the_better_of_both() -> None:
    ours, theirs = Progress(), Progress()
    ours.lab(7).checks["7.2"] = progress.CheckRecord(state=AFTER_SOLUTION)
    ours.lab(7).hints["7.2"] = 3
    theirs.lab(7).checks["7.2"] = progress.CheckRecord(state=PASSED)
    theirs.lab(7).hints["7.2"] = 1
    theirs.lab(7).started = 5.0
    merge(ours, theirs)
    assert (ours.lab(7).checks["7.2"].state, ours.lab(7).hints["7.2"], ours.lab(7).started) == (PASSED, 3, 5.0)


def test_the_report_says_how_it_was_passed(learner: Learner, space: Workspace) -> None:
    learner("lab", "7", "predict", "--answer", "2")
    learner("lab", "7", "hint", "7.2")
    judged(space, CheckVerdict("7.2", "fail", "Order 4 is PENDING."))
    shown = learner("report").stdout
    assert "7.2   open, 1 try, 1 hint, predicted wrong" in shown
    assert "last failure: Order 4 is PENDING." in shown
    judged(space, CheckVerdict("7.2", "pass"))
    lab = next(lab for lab in json.loads(learner("report", "--json").stdout)["labs"] if lab["number"] == 7)
    assert (lab["checks"]["7.2"]["state"], lab["checks"]["7.2"]["tries"], lab["passed"], lab["of"]) == ("passed", 2, 1, 2)
    assert lab["checks"]["7.2"]["predicted_right"] is False
