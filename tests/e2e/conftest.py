from collections.abc import Iterator

import pytest

from tests.e2e.running import RunningStack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One stack for the whole session. A test that changes more than its own customers and orders puts it back."""
    running = RunningStack(tmp_path_factory.mktemp("home"))
    try:
        running.labkit("up")
        yield running
    finally:
        running.labkit("down", "--data")
