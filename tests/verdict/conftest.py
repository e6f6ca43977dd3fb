"""The shared stack with its addresses as they are now: a component that was started again may have another port."""

import pytest

from tests.running import RunningStack


@pytest.fixture
def stack(stack: RunningStack) -> RunningStack:
    return RunningStack(stack.labkit)
