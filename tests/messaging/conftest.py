"""One server of each kind for all messaging tests. Each test has its own names there."""

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from services.workshop.armed import armed
from services.workshop.hits import Hits
from tests.messaging.servers import KafkaBroker, MysqlDatabase, RedisStore, Schema, Server

S = TypeVar("S", bound=Server)


def running(make: Callable[[Path], S]) -> Iterator[S]:
    folder = Path(tempfile.mkdtemp(prefix="lk"))  # short, because a socket's path is limited
    server = make(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaBroker]:
    yield from running(KafkaBroker)


@pytest.fixture(scope="session")
def mysql() -> Iterator[MysqlDatabase]:
    yield from running(MysqlDatabase)


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisStore]:
    yield from running(RedisStore)


@pytest.fixture
def schema(mysql: MysqlDatabase) -> Schema:
    return mysql.new_schema()


@pytest.fixture
def name() -> str:
    """A unique name for a channel, a subscriber or an instance."""
    return f"n-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def nothing_armed(tmp_path: Path) -> Iterator[Path]:
    """The file of hits. Afterwards nothing is armed."""
    hits = tmp_path / "hits.jsonl"
    armed.hits = Hits()
    armed.hits.open(hits)
    yield hits
    armed.take([])
