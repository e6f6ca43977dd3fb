"""Tab completion in each available shell: commands, options, and current values."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from labkit.catalog.labs import all_labs
from labkit.cli import app
from labkit.cli.completion import SCRIPTS, candidates
from labkit.faults.ledger import BY_HAND, Ledger, this_process
from tests.running import Labkit


def completed(*words: str) -> list[str]:
    return [value for value, _ in candidates(get_command(app), words[:-1], words[-1])]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("la",), ["labs", "lab"]),
        (("lab", ""), ["1", "2", "3"]),
        (("lab", "2", "ch"), ["check"]),
        (("lab", "2", "check", "2.1", "2."), ["2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7"]),
        (("lab", "2", "hint", "2.6"), ["2.6"]),
        (("lab", "2", "solution", "--d"), ["--diff"]),
        (("restart", "orders", "order"), ["orders", "order-history"]),
        (("logs", "kaf"), ["kafka"]),
        (("up", "--runtime", "d"), ["docker"]),
        (("trace", "m"), ["message"]),
        (("fault", "ga"), ["gate"]),
        (("fault", "kill", "red"), ["redis"]),
        (("verify", "--evidence", ""), []),
        (("nonsense", "--more", "x"), []),
    ],
)
def test_a_word_that_was_begun_becomes(words: tuple[str, ...], expected: list[str]) -> None:
    assert completed(*words) == expected


def test_labs_and_steps_are_those_of_lab_yaml() -> None:
    """Completion reads lab.yaml line by line; everything else reads it as YAML."""
    root = get_command(app)
    assert candidates(root, ["lab"], "") == [(str(lab.number), lab.title) for lab in all_labs()]
    for lab in all_labs():
        assert candidates(root, ["lab", str(lab.number), "check"], "") == [(step.id, step.title) for step in lab.steps]


def test_stacks_and_faults_are_those_of_now(labkit_home: Path) -> None:
    labkit = Labkit(labkit_home, "completed")
    directory = labkit.directory
    directory.mkdir(parents=True)
    try:
        (directory / "stack.json").write_text("{}")
        Ledger(directory).intend("gate", "orders", "orders waits", {}, this_process(BY_HAND, "labkit fault gate orders"), None)
        assert labkit.name in labkit("completion", "bash", "--", "status", "--name", "").stdout.split()
        assert labkit("completion", "fish", "--", "heal", "").stdout == "1\torders waits\n"
    finally:
        shutil.rmtree(directory)


def test_zsh_and_fish_are_told_what_each_word_means(labkit: Labkit) -> None:
    assert "2.3:Credit that does not come back" in labkit("completion", "zsh", "--", "lab", "2", "check", "").stdout
    assert "2.3\tCredit that does not come back" in labkit("completion", "fish", "--", "lab", "2", "check", "").stdout


def test_bash_itself_completes(labkit: Labkit, tmp_path: Path) -> None:
    (tmp_path / "labkit").write_text(f"#!/bin/sh\nexec '{sys.executable}' -m labkit \"$@\"\n")
    (tmp_path / "labkit").chmod(0o755)
    begun = "COMP_WORDS=(labkit lab 2 che); COMP_CWORD=3; _labkit"
    script = f"PATH='{tmp_path}':$PATH; source <(labkit completion bash); {begun}; echo ${{COMPREPLY[@]}}"
    environment = labkit._environment() | {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "check"


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_script_says_how_to_keep_it(labkit: Labkit, shell: str) -> None:
    assert f"labkit completion {shell}" in labkit("completion", shell).stdout


def test_another_shell_is_wrong_usage(labkit: Labkit) -> None:
    done = labkit("completion", "tcsh", ok=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (254, "Next: labkit completion bash")
