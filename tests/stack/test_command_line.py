"""The command line's output and exit codes without a stack."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import ROOT, Labkit

COMMANDS = (
    *("order", "completion"),
    *("setup", "up", "down", "status", "logs", "restart", "shell", "reset", "verify", "exam", "trace", "sql", "events", "topics"),
    *("init", "labs", "lab", "watch", "guide", "report", "progress", "jump", "author"),
    *("fault", "heal", "chaos", "load", "images", "doctor", "support"),
)
HEAVY = (
    "asyncio",
    "docker",
    "httpx",
    "rich",
    "yaml",
    "confluent_kafka",
    "pymysql",
    "redis",
    "psutil",
    "pydantic",
    "importlib.metadata",
    "duckdb",
)
NOT_FOR_LABS = (*(name for name in HEAVY if name != "yaml"), "hashlib", "platformdirs")


SECTIONS = (
    *("Begin (labkit up):", "Look (labkit trace order 17):", "Break (labkit fault gate customers):"),
    *("Judge (labkit lab 2 check):", "Teach (labkit jump 3):"),
)


def test_help_lists_every_command_with_one_line_in_its_section(labkit: Labkit) -> None:
    shown = labkit("--help").stdout
    assert tuple(line for line in shown.splitlines() if line.endswith("):")) == SECTIONS
    listed = [line.split()[0] for line in shown[shown.index(SECTIONS[0]) :].splitlines() if line.startswith("  ")]
    assert sorted(listed) == sorted(COMMANDS)
    assert all(len(line) <= 80 for line in shown.splitlines())


def imported_by(*arguments: str, cwd: Path = ROOT) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "labkit", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


def test_help_imports_nothing_heavy() -> None:
    imported = imported_by("--help")
    assert "labkit.cli" in imported
    assert not imported & set(HEAVY)


def test_labs_imports_nothing_heavy_in_a_workspace_and_outside(tmp_path: Path) -> None:
    imported_by("init", str(tmp_path / "workshop"))
    for folder in (ROOT, tmp_path / "workshop"):
        imported = imported_by("labs", cwd=folder)
        assert "labkit.commands.labs" in imported
        assert not imported & set(NOT_FOR_LABS)


@pytest.mark.parametrize(
    ("arguments", "said", "fix"),
    [
        (["upp"], "upp", "Next: labkit up"),
        (["qqqq"], "qqqq", "Next: labkit --help"),
        (["check", "1.3"], "check", "Next: labkit lab 1 check 1.3"),
        (["check"], "check", "Next: labkit lab 1 check"),
        (["lab", "check", "1.3"], "check", "Next: labkit lab 1 check 1.3"),
        (["trace", "1"], "'ID'", "Next: labkit trace order 1"),
        (["hint"], "hint", "Next: labkit lab 1 hint"),
        (["up", "--nmae", "x"], "--nmae", "Next: labkit up --help"),
        (["restart"], "COMPONENT", "Next: labkit restart --help"),
        (["restart", "kafak"], "'kafak'", "Next: labkit restart customers"),
        (["logs", "kafak"], "'kafak'", "Next: labkit logs customers"),
        (["up", "--runtime", "podman"], "'podman'", "Next: labkit up --runtime native"),
        (["up", "--name", "My Stack"], "'My Stack'", "Next: labkit up --name mine"),
        (["lab", "1", "chekc"], "chekc", "Next: labkit lab 1 check"),
        (["lab", "1", "check", "--sede", "1"], "--sede", "Next: labkit lab 1 check --help"),
        (["reset", "--data", "--all"], "different resets", "Next: labkit reset --help"),
    ],
)
def test_wrong_usage_ends_with_254_and_the_fix(labkit: Labkit, arguments: list[str], said: str, fix: str) -> None:
    done = labkit(*arguments, ok=False)
    assert done.returncode == 254
    assert said in done.stderr
    assert done.stderr.splitlines()[-1] == fix
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["status", "logs", "reset"])
def test_without_a_stack_the_next_step_is_up(labkit: Labkit, command: str) -> None:
    done = labkit(command, ok=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["There is no stack 'own'.", "Next: labkit up --name own"]


def test_down_without_a_stack_is_done_already(labkit_home: Path) -> None:
    assert "nothing to stop" in Labkit(labkit_home, "never-made")("down").stdout


def test_a_folder_without_services_is_refused(labkit: Labkit, tmp_path: Path) -> None:
    done = labkit("up", "--services", str(tmp_path), ok=False)
    assert done.returncode == 1
    assert f"{tmp_path} is not a folder of services" in done.stderr


MISTAKE = "import sys; from labkit.cli import error_boundary\ndef app(*_, **__): {}\nsys.exit(error_boundary.run(app, sys.argv[1:]))"


def mistaken(mistake: str, *arguments: str, home: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The result of a command with this mistake."""
    return subprocess.run(
        [sys.executable, "-c", MISTAKE.format(mistake), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "LABKIT_HOME": str(home), "LABKIT_NAME": "x", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_mistake_of_labkit_leaves_a_report(tmp_path: Path) -> None:
    done = mistaken("return {}['total']", "status", home=tmp_path)
    assert done.returncode == 255
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("labkit failed: KeyError: 'total'\n")
    report = Path(done.stderr.rpartition("Report: ")[2].strip())
    assert "command   labkit status" in report.read_text()
    assert "Traceback" in report.read_text()


@pytest.mark.parametrize("place", ["/dev/null/x", "/proc/x", "~nobody-of-this-name/x"])
@pytest.mark.parametrize("variable", ["LABKIT_HOME", "LABKIT_CACHE"])
def test_a_folder_that_labkit_cannot_have_is_told_with_the_way_to_another(tmp_path: Path, variable: str, place: str) -> None:
    labkit = Labkit(tmp_path, "homeless", {variable: place})
    for command in (["labs"], ["status"], ["up"], ["doctor"]):
        done = labkit(*command, ok=False)
        assert done.returncode in (0, 1, 2), (command, done.stderr)
        assert "Traceback" not in done.stderr
    done = labkit("up", ok=False)
    assert done.stderr.splitlines()[-1].startswith(f"Next: export {variable}=DIR"), done.stderr
    assert place.removeprefix("~") in done.stderr
