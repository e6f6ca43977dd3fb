"""A stack allows one run at a time, or any number of loads, but never both."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labkit.errors import ExitCode, UserError
from labkit.stack import run_lock
from labkit.stack.model import Stack
from labkit.system import find as profiles
from tests.running import ROOT, wait_until

HOLDER = """
import sys
from pathlib import Path
from labkit.stack import run_lock
from labkit.stack.model import Stack
from labkit.system import find as profiles
directory = Path(sys.argv[2])
stack = Stack("none", directory, "native", profiles.default(), directory, 0, (), 0)
with getattr(run_lock, sys.argv[1])(stack, "labkit elsewhere"):
    print("taken", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack("none", tmp_path, "native", profiles.default(), tmp_path, 0, (), 0)


@contextmanager
def held(stack: Stack, kind: str, *, wait: bool = True) -> "Iterator[subprocess.Popen[str]]":
    """Another process holds the lock."""
    command = [sys.executable, "-c", HOLDER, kind, str(stack.directory)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if wait:
            assert process.stdout.readline() == "taken\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_run_is_refused_and_names_the_first(stack: Stack) -> None:
    with (
        held(stack, "run"),
        pytest.raises(UserError, match=r"labkit elsewhere \(pid \d+, since .*\) is at work"),
        run_lock.run(stack, "mine"),
    ):
        pass


def test_a_run_waits_until_all_loads_have_stepped_aside(stack: Stack) -> None:
    with run_lock.load(stack, "one") as one, run_lock.load(stack, "two") as two:
        with held(stack, "run", wait=False) as run:
            wait_until(one.wanted_by, "the run says that it wants the stack")
            assert two.wanted_by().startswith("labkit elsewhere (pid ")
            assert not one.take()
            two.give()
            assert run.stdout is not None
            assert run.stdout.readline() == "taken\n"
            assert not one.take()
            assert not two.take()
            run.kill()
            run.wait(60)
        wait_until(lambda: one.take() and two.take(), "the run is over")


def test_a_load_that_does_not_step_aside_is_named(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "STEPS_ASIDE_S", 0.1)
    with (
        held(stack, "load"),
        pytest.raises(UserError, match=r"labkit elsewhere .* does not step aside") as refused,
        run_lock.run(stack, "mine"),
    ):
        pass
    assert refused.value.exit_code is ExitCode.UNKNOWN


def test_a_command_may_take_its_run_again(stack: Stack) -> None:
    with run_lock.run(stack, "mine"):
        with run_lock.run(stack, "mine"):
            pass
        with pytest.raises(UserError, match=r"mine .* is at work"), run_lock.run(stack, "other"):
            pass
        with pytest.raises(UserError, match="cannot judge it under load"), run_lock.load(stack, "other"):
            pass
    with run_lock.load(stack, "other"):
        pass


def test_a_load_beside_a_run_is_refused(stack: Stack) -> None:
    with held(stack, "run"), pytest.raises(UserError, match="cannot judge it under load"), run_lock.load(stack, "mine"):
        pass


def test_a_run_that_was_killed_holds_nothing(stack: Stack) -> None:
    with held(stack, "run") as process:
        process.kill()
        process.wait(60)
        with run_lock.run(stack, "mine"):
            pass
