"""A newcomer's walk to the end of lab 3: a new clone, a new terminal, and only the commands of the README and the "Next:" lines.

When a check fails for missing code, the newcomer writes correct code. When labkit asks a question, the first answer is taken.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.catalog import trees
from labkit.catalog.labs import find_lab
from tests.running import ROOT
from tests.screens.terminal import Terminal

LABS = (1, 2, 3)
MOST = 120  # commands


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """In a folder with a space and an umlaut. Its environment shares this one's packages, because pip is not under test."""
    folder = tmp_path / "meine Übung" / "labkit"
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=folder, check=True)
    site = next((folder / ".venv").glob("lib/python*/site-packages"))
    (site / "labkit.pth").write_text(f"{folder}\n{sysconfig.get_paths()['purelib']}\n")
    script = folder / ".venv/bin/labkit"
    script.write_text(f"#!/bin/sh\nexec '{folder}/.venv/bin/python' -m labkit \"$@\"\n")
    script.chmod(0o755)
    installed, newer = folder / ".venv/installed", (folder / "pyproject.toml").stat().st_mtime + 1
    installed.touch()
    os.utime(installed, (newer, newer))  # make has nothing to install
    return folder


@pytest.fixture
def terminal(clone: Path, tmp_path: Path) -> Iterator[Terminal]:
    home = tmp_path / "home"
    home.mkdir()
    passed_on = {
        name: os.environ[name] for name in ("LABKIT_CACHE", "LABKIT_START_TIMEOUT", "JAVA_HOME", "KAFKA_HOME") if name in os.environ
    }
    cache = {"LABKIT_CACHE": str(Path("~/.cache/labkit").expanduser()), **passed_on}
    path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if not part.endswith(".venv/bin"))
    environment = {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "LABKIT_RUNTIME": "native", **cache}
    found = Terminal(tmp_path, environment)
    try:
        yield found
    finally:
        found.close()
        subprocess.run(
            [clone / ".venv/bin/labkit", "down", "--data"], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True
        )


def next_commands(said: list[str]) -> list[str]:
    """The commands of the last "Next:" line, "a, then b", without explanations."""
    begin = max((n for n, line in enumerate(said) if line.startswith("Next: ")), default=None)
    if begin is None:
        return []
    rest = iter(said[begin + 1 :])
    text = said[begin].removeprefix("Next: ")
    for line in rest:
        if not line.startswith("      "):
            break
        text += f" {line.strip()}"
    parts = re.split(r", then |; ", text)
    return [part for part in (re.split(r", |; ", part)[0].strip() for part in parts) if part.startswith(("labkit", "cd ", "source "))]


def looks(said: list[str]) -> list[str]:
    """The commands that `labkit lab N inject` suggests for looking."""
    return [line.removeprefix("  look        ") for line in said if line.startswith("  look        ")]


def write_right_code(folder: Path, check: str) -> None:
    """Write what the learner would have written by now: the files of the lab's solution for this check."""
    lab = find_lab(int(check.partition(".")[0]))
    solved = trees.solved(lab)
    for path in trees.exercise(lab):
        if path in solved:
            (folder / path).write_bytes(solved[path])


@pytest.mark.native
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("tmux") is None and not os.environ.get("CI"), reason="there is no tmux here; CI has it")
def test_from_make_up_to_lab_3_by_what_is_said(clone: Path, terminal: Terminal) -> None:
    terminal.type(f"cd '{clone}'")
    terminal.type("make up", within_s=300)
    commands, typed, failed = next_commands(terminal.said), ["make up"], dict[int, set[str]]()
    workshop, looking = clone / "workshop", list[str]()
    broken: dict[str, list[str]] = {}
    while len(typed) < MOST:
        command = commands.pop(0)
        typed.append(command)
        said = terminal.type(command)
        text = "\n".join(said)
        print(f"$ {command}\n{text}\n")  # shown when the walk fails
        broken |= {command: terminal.broken} if terminal.broken else {}
        assert not re.search(r"command not found|No such command|Traceback|labkit failed|Usage:", text), text
        if "Lab 3 is done." in text:
            break
        if wrong := re.findall(r"^  ✗ (\d+\.\d+)", text, re.MULTILINE):
            assert command.startswith("labkit lab "), f"{typed}\n{text}"
            failed.setdefault(int(wrong[0].partition(".")[0]), set()).update(wrong)
            assert f"Stuck? labkit lab {wrong[0][0]} hint {wrong[0]}" in text
            write_right_code(workshop, wrong[0])
            commands = [command]
        elif command in looking:
            continue  # a look continues the same investigation; commands after it were suggested before
        else:
            commands = next_commands(said) or commands
            assert commands, f"nothing says what comes next:\n{text}"
            looking = looks(said)
            commands = [*looking, *commands]
    assert "Lab 3 is done." in "\n".join(terminal.said), typed
    assert broken == {}
    assert set(failed) == set(LABS), failed
    shown = terminal.type("labkit labs")
    assert [line.split()[:2] for line in shown if line.startswith("✓")] == [["✓", str(number)] for number in LABS]
