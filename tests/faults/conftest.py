"""Faults on the shared stack, through the command line. After each test no fault may remain."""

from collections.abc import Iterator

import pytest

from tests.faults.faults import Faults
from tests.running import RunningStack


@pytest.fixture
def faults(stack: RunningStack) -> Iterator[Faults]:
    found = Faults(stack)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LABKIT_HOME", str(stack.labkit.home))
        found.rest()
    yield found
    found.heal_all()
    found.assert_nothing_left()
