"""`labkit author mutate` with the real stack: mutants are judged, a later run goes on, and nothing is left behind."""

import re
import signal
from pathlib import Path

import psutil
import pytest

from labkit.catalog.labs import all_labs
from labkit.mutation import results
from labkit.mutation.results import CAUGHT
from labkit.mutation.subject import find
from labkit.stack import state
from tests.running import Labkit, is_alive, wait_until

LABS = [lab.number for lab in all_labs()]
STACK = "author-mutate-1"  # the stack of the first job
SEED = 1
SOME = 6  # mutants of a lab; `make soak` judges all of them


def mutate(labkit_home: Path, *arguments: object) -> tuple[int, str]:
    done = Labkit(labkit_home, "unused")("author", "mutate", *map(str, arguments), ok=False, timeout=7000)
    return done.returncode, done.stdout + done.stderr


def nothing_is_left(labkit_home: Path) -> bool:
    labkit = Labkit(labkit_home, STACK)
    return state.read(labkit.directory) is None and not labkit.processes()


@pytest.mark.timeout(900)
def test_each_mutant_is_told_and_a_second_run_goes_on(labkit_home: Path, tmp_path: Path) -> None:
    options = (3, "--sample", 3, "--seed", SEED, "--jobs", 1, "--results", tmp_path)
    chosen = {mutant.id: mutant for mutant in find(3).sample(3, SEED)}
    code, said = mutate(labkit_home, *options)
    kept = results.read(results.path_of("lab-3", tmp_path))
    caught = sum(result.outcome == CAUGHT for result in kept.values())
    assert code == (0 if caught == 3 else 1), said
    assert kept.keys() == chosen.keys()
    for an_id, mutant in chosen.items():
        assert re.search(rf"^  [✓✗] [123]/3 {an_id} {mutant.path}:{mutant.line} {re.escape(mutant.rule)}: ", said, re.MULTILINE), said
    assert f"\n{caught} of 3 caught in " in said
    assert nothing_is_left(labkit_home)
    if caught == 3:
        code, said = mutate(labkit_home, *options)
        assert code == 0
        assert "3 of these were caught earlier" in said


@pytest.mark.timeout(300)
def test_on_sigterm_it_ends_and_takes_its_stack_with_it(labkit_home: Path, tmp_path: Path) -> None:
    at_work = Labkit(labkit_home, "unused").begin("author", "mutate", "3", "--jobs", "1", "--results", str(tmp_path))
    stack = Labkit(labkit_home, STACK)
    wait_until(lambda: len(stack.processes()) > 3, "its stack is coming up", within=120)
    started = [process.pid for process in psutil.Process(at_work.pid).children(recursive=True)]
    at_work.send_signal(signal.SIGTERM)
    said, _ = at_work.communicate(timeout=90)
    assert at_work.returncode == 130, said
    assert "Traceback" not in said
    wait_until(lambda: not any(map(is_alive, started)), "all of its processes have ended")
    assert nothing_is_left(labkit_home)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("lab", LABS)
def test_of_some_mutants_of_a_lab_those_survive_that_are_known(labkit_home: Path, tmp_path: Path, lab: int) -> None:
    _, said = mutate(labkit_home, lab, "--sample", SOME, "--seed", SEED, "--jobs", 1, "--results", tmp_path)
    found = results.read(results.path_of(f"lab-{lab}", tmp_path))
    assert len(found) == SOME, said
    assert {result.id for result in found.values() if result.outcome != CAUGHT} <= find(lab).known.keys(), said


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("lab", LABS)
def test_of_all_mutants_of_a_lab_enough_are_caught(labkit_home: Path, tmp_path: Path, lab: int) -> None:
    code, said = mutate(labkit_home, lab, "--jobs", 1, "--results", tmp_path)
    assert code == 0, said
