"""A learner goes through labs 1 to 3 with the real command line: starts, plays each failure, looks, fails, applies the solution, passes."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.lab.catalog import find_lab
from tests.running import ROOT, Labkit
from tests.workspace.kit import Learner

AFTER_START = {1: {"1.8"}, 2: {"2.1", "2.2", "2.3", "2.6"}, 3: {"3.1", "3.2", "3.3", "3.4"}}


def verdicts(learner: Learner, lab: int) -> dict[str, str]:
    return {c["id"]: c["verdict"] for c in json.loads(learner("lab", str(lab), "check", "--json", ok=False).stdout)["checks"]}


@pytest.fixture
def learner(new_labkit: Callable[..., Labkit], runtime: str, tmp_path: Path) -> Learner:
    labkit = new_labkit("learner", LABKIT_RUNTIME=runtime)
    Learner(labkit, ROOT, tmp_path)("init", "workshop")
    found = Learner(labkit, ROOT, tmp_path / "workshop")
    found("up")
    return found


@pytest.mark.timeout(600)
def test_labs_1_to_3_from_beginning_to_end(learner: Learner) -> None:
    for number, failing in AFTER_START.items():
        lab = find_lab(number)
        learner("lab", str(number), "start")
        for step in lab.steps:
            if step.inject:
                said = learner("lab", str(number), "inject", step.id).stdout
                for command in re.findall(r"^  look +labkit (.*)$", said, re.MULTILINE):
                    assert "{" not in command
                    words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)]
                    looked = learner(*words, ok=False)
                    assert looked.returncode in (0, 1, 2), f"{command}: {looked.stderr}"
        assert {check for check, verdict in verdicts(learner, number).items() if verdict == "fail"} == failing
        learner("lab", str(number), "solution", "--apply", "--yes")
        done = learner("lab", str(number), "check", ok=False)
        assert done.returncode == 0, done.stdout
    shown = learner("labs").stdout
    assert "1" in shown
