"""A stack for these tests alone, so that its stores may be written to, trimmed and taken away; each test begins after a reset."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.evidence import quiescence
from labkit.evidence.quiescence import Watcher
from labkit.stack import state
from labkit.stack.model import Stack
from tests.running import Labkit, RunningStack


@pytest.fixture(scope="package")
def evidence_stack(labkit_home: Path) -> Iterator[RunningStack]:
    labkit = Labkit(labkit_home, "evidence")
    try:
        labkit("up")
        yield RunningStack(labkit)
    finally:
        labkit("down", "--data")


@pytest.fixture
def running_shop(evidence_stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> RunningStack:
    """Whole, with what tests before left in its stores."""
    monkeypatch.setenv("LABKIT_HOME", str(evidence_stack.labkit.home))
    status = evidence_stack.labkit.facts()
    if status is None or not status["ready"]:
        evidence_stack.labkit("up")
        status = evidence_stack.labkit.facts()  # what was started again may have another port
    return RunningStack(evidence_stack.labkit, status)


@pytest.fixture
def shop(running_shop: RunningStack) -> RunningStack:
    """Whole, and empty."""
    running_shop.labkit("reset", "--yes")
    return RunningStack(running_shop.labkit, running_shop.labkit.facts())


@pytest.fixture
def at_rest(described: Stack) -> None:
    """What tests before began has come to its end."""
    with Watcher(described) as watcher:
        quiescence.wait(watcher)


@pytest.fixture
def described(running_shop: RunningStack) -> Stack:
    """The same, as labkit has it."""
    return state.load(running_shop.labkit.name)
