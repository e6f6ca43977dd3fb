"""The instructor's commands: reset one stack or many, with or without the learners' files."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.running import TIMEOUT, Labkit
from tests.workspace.kit import Learner


@pytest.fixture
def two_seats(labkit_home: Path, kit: Path, tmp_path: Path) -> Iterator[list[Learner]]:
    """Two learners with their own stacks. The first learner's service is faulty."""
    seats = []
    try:
        for n in (1, 2):
            labkit = Labkit(labkit_home, f"room-{n}")
            desk = Learner(labkit, kit, tmp_path)
            desk("init", f"room-{n}")
            seats.append(Learner(labkit, kit, tmp_path / f"room-{n}"))
            seats[-1]("up")
        yield seats
    finally:
        for seat in seats:
            seat.labkit("down", "--data")


def test_many_stacks_are_reset_side_by_side_and_judged(two_seats: list[Learner], tmp_path: Path, kit: Path) -> None:
    first = two_seats[0]
    handlers = first.read("services/orders/handlers.py")
    first.write("services/orders/handlers.py", handlers.replace("@customer_events.handles(CustomerValidationFailed)\n", ""))
    instructor = Learner(first.labkit, kit, tmp_path)

    done = instructor("reset", "--stack", "room-*", "--yes", ok=False)
    assert done.returncode == 1
    lines = {line.split()[1]: line for line in done.stdout.splitlines() if line.startswith("  ")}
    assert "✓" in lines["room-2"]
    assert "✗" in lines["room-1"]
    assert "1.4" in lines["room-1"]
    assert str(first.folder) in lines["room-1"]
    assert "2 stacks reset in" in done.stdout
    assert "1 pass lab 1" in done.stdout

    done = instructor("reset", "--stack", "room-*", "--workspace", "--yes")
    assert "2 pass lab 1" in done.stdout
    assert first.read("services/orders/handlers.py") == handlers
    assert "@customer_events.handles(CustomerValidationFailed)" not in restored(first)
    for seat in two_seats:
        assert "not started" in seat("report").stdout
        assert not (seat.folder / ".labkit/progress.json").exists() or "passed" not in seat.read(".labkit/progress.json")


def restored(seat: Learner) -> str:
    name = seat("lab", "1", "restore", "--list").stdout.split()[0]
    seat("lab", "1", "restore", name)
    return seat.read("services/orders/handlers.py")


def test_no_stack_of_that_name_is_told(learner: Learner) -> None:
    done = learner("reset", "--stack", "nobody-*", "--yes", ok=False)
    assert done.returncode == 254
    assert "No stack matches 'nobody-*'" in done.stderr


def test_a_reset_of_the_workspace_keeps_files_notes_and_the_old_progress(at_lab_7: Learner) -> None:
    at_lab_7("lab", "7", "hint")
    said = at_lab_7("reset", "--workspace", "--yes").stdout
    assert "Your earlier work is saved" in said
    assert "the old progress is saved as progress.until-" in said
    assert not (at_lab_7.folder / "saga.yml").exists()
    assert at_lab_7.read("notes.md") == "what I think\n"
    assert json.loads(at_lab_7("labs", "--json").stdout)[1]["state"] == "not started"
    assert len(list((at_lab_7.folder / ".labkit").glob("progress.until-*.json"))) == 1


def test_what_is_lost_is_asked_on_a_terminal_and_no_is_the_default(at_lab_7: Learner) -> None:
    import os
    import pty

    keys, screen = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "labkit", "reset", "--workspace"],
        cwd=at_lab_7.folder,
        env={**at_lab_7.labkit._environment(), "PYTHONPATH": str(at_lab_7.kit)},
        stdin=screen,
        stdout=screen,
        stderr=screen,
    )
    os.close(screen)
    os.write(keys, b"\n")
    assert process.wait(TIMEOUT) == 0
    seen = ""
    with suppress(OSError):  # at its end; an earlier read may be partial
        while part := os.read(keys, 65536):
            seen += part.decode()
    os.close(keys)
    assert "This deletes your progress in" in seen
    assert "[y/N]" in seen
    assert "Nothing was changed." in seen
    assert (at_lab_7.folder / "saga.yml").exists()


@pytest.mark.soak  # CI resets and judges many
@pytest.mark.parametrize("form", ["--data", "--all"])
def test_a_reset_leaves_a_stack_that_passes_lab_1(seat: Learner, form: str) -> None:
    seat("reset", "--workspace", "--yes")
    seat("reset", form, "--yes")
    checks = json.loads(seat("lab", "1", "check", "--json").stdout)["checks"]
    assert {check["verdict"] for check in checks} == {"pass"}
