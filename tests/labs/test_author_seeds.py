"""`labkit author seeds`: no verdict depends on the seed."""

import multiprocessing
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labkit.catalog.labs import all_labs
from tests.running import Labkit
from tests.workspace import kit as kits
from tests.workspace.kit import Learner

TIMEOUT_S = 280.0
LABS = [lab.number for lab in all_labs()]
LAB_1 = "labs/01-run-the-application"
SEEDS = {"quiet": 20, "busy": 5}


def test_each_verdict_that_is_not_right_is_told(labkit_home: Path, tmp_path: Path) -> None:
    kit = kits.make(tmp_path / "kit")
    mistake = kit / LAB_1 / "mutants" / "counts-the-largest-reservation.patch"
    shutil.copy(mistake, kit / LAB_1 / "variants" / "it-is-not-right.patch")
    chosen = [word for name in ("it-is-not-right", "state-then-reason", "a-cent-too-strict") for word in ("--mutant", name)]
    done = Learner(Labkit(labkit_home, "unused"), kit, tmp_path, TIMEOUT_S)("author", "seeds", "1", "--seeds", "2", *chosen, ok=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "seed 2, right variant it-is-not-right" in done.stdout
    assert "✗ right variant it-is-not-right" in done.stdout
    assert "✓ a-cent-too-strict: 2 fail" in done.stdout
    assert "Mutants: 2 fail." in done.stdout


@contextmanager
def all_cores_busy() -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    spinning = [context.Process(target=_spin, daemon=True) for _ in range(os.cpu_count() or 1)]
    for process in spinning:
        process.start()
    try:
        yield
    finally:
        for process in spinning:
            process.kill()


def _spin() -> None:
    while True:
        pass


def judged(labkit_home: Path, lab: int, seeds: int) -> None:
    done = Labkit(labkit_home, "unused")("author", "seeds", str(lab), "--seeds", str(seeds), ok=False, timeout=14_000)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.soak
@pytest.mark.timeout(14_400)
@pytest.mark.parametrize("lab", LABS)
def test_no_verdict_depends_on_the_seed(labkit_home: Path, lab: int) -> None:
    judged(labkit_home, lab, SEEDS["quiet"])


@pytest.mark.soak
@pytest.mark.timeout(14_400)
@pytest.mark.parametrize("lab", LABS)
def test_nor_on_whether_all_cores_are_busy(labkit_home: Path, lab: int) -> None:
    with all_cores_busy():
        judged(labkit_home, lab, SEEDS["busy"])
