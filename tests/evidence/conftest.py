"""A separate stack for these tests, so that they may change, trim and remove its stores. Each test begins after a reset."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.evidence.quiescence.wait import wait
from labkit.evidence.quiescence.watcher import Watcher
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
    """The repaired stack, with the data of earlier tests."""
    monkeypatch.setenv("LABKIT_HOME", str(evidence_stack.labkit.home))
    status = evidence_stack.labkit.facts()
    if status is None or not status["ready"]:
        evidence_stack.labkit("up")
        status = evidence_stack.labkit.facts()  # a restarted component may have another port
    return RunningStack(evidence_stack.labkit, status)


@pytest.fixture
def shop(running_shop: RunningStack) -> RunningStack:
    """The repaired stack, without data."""
    running_shop.labkit("reset", "--yes")
    return RunningStack(running_shop.labkit, running_shop.labkit.facts())


@pytest.fixture
def at_rest(described: Stack) -> None:
    """Waits until the work that earlier tests started has ended."""
    with Watcher(described) as watcher:
        wait(watcher)


@pytest.fixture
def described(running_shop: RunningStack) -> Stack:
    """The same stack, as labkit's own object."""
    return state.load(running_shop.labkit.name)
