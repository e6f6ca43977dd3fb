"""A lab with its own profile, service, table, channel and invariant is one folder; no other file mentions it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.running import ROOT, Labkit
from tests.workspace import kit as kits
from tests.workspace.kit import Learner

LAB = Path(__file__).parent / "labs" / "90-loyalty-points"
OWN_WORDS = ("loyalty", "orderPoints", "PointsGiven")
TIMEOUT_S = 280.0


@pytest.mark.native
def test_the_author_proves_it_on_a_real_stack(tmp_path: Path) -> None:
    kit = kits.make(tmp_path / "kit")
    shutil.copytree(LAB, kit / "labs" / LAB.name, ignore=kits.LEFT_OUT)
    labkit = Labkit(tmp_path / "home", "unused", {"LABKIT_RUNTIME": "native"})
    done = Learner(labkit, kit, tmp_path, TIMEOUT_S)("author", "test", "90", ok=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ solution passes 1 checks" in done.stdout
    assert "rounds-up" in done.stdout


@pytest.mark.docker
def test_docker_says_that_it_does_not_know_the_new_service(tmp_path: Path) -> None:
    kit = kits.make(tmp_path / "kit")
    shutil.copytree(LAB, kit / "labs" / LAB.name, ignore=kits.LEFT_OUT)
    shutil.copytree(LAB / "starter" / "services", kit / "services", ignore=kits.LEFT_OUT, dirs_exist_ok=True)
    labkit = Labkit(tmp_path / "home", "unused", {"LABKIT_RUNTIME": "docker"})
    done = Learner(labkit, kit, tmp_path, TIMEOUT_S)("up", "--profile", "loyalty", ok=False)
    assert done.returncode == 1
    assert "The profile loyalty does not run on Docker yet: compose.yaml has no loyalty." in done.stderr
    assert "Next: labkit up --profile loyalty --runtime native" in done.stderr


@pytest.mark.parametrize("word", OWN_WORDS)
def test_nothing_outside_its_folder_knows_of_it(word: str) -> None:
    command = ["git", "grep", "-il", word, "--", "labkit", "services", "labs", "compose"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, ""), found.stderr
