"""The data of a collection."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.evidence import database, environment
from labkit.evidence.binlog.replication import Position
from labkit.evidence.mark import Mark
from labkit.evidence.quiescence.watcher import Watcher
from labkit.evidence.worker import Worker
from labkit.stack.model import Stack

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SOURCES = frozenset(database.SOURCES)
STORES = {"view": "redis", "tables": "mysql", "records": "broker"}
"""The store of each source of the end state."""

Tell = Callable[[str], None]
"""A callback that receives a short description of the current step, many times over."""


@dataclass(frozen=True)
class Scenario:
    """What the evidence is about.

    `requests` are rows of the evidence table of that name. Without `customers`, the whole stack is judged. Process events before `since`
    (epoch seconds) are left out because they belong to an earlier run.
    """

    requests: Sequence[Mapping[str, Any]] = ()
    customers: Sequence[int] = ()
    expected_pending: Sequence[int] = ()
    seed: int | None = None
    stalls: Sequence[environment.Event] = ()
    since: float = 0.0


@dataclass
class Collection:
    """A collection in progress. `connection` is its evidence database; `mark` is where the run begins, if that is known."""

    stack: Stack
    scenario: Scenario
    connection: "DuckDBPyConnection"
    scratch: Path
    workers: dict[str, Worker]
    watcher: Watcher
    tell: Tell
    mark: Mark | None
    sources: frozenset[str]
    snapshot: Position | None = None  # the binlog position at which the tables were read
    unfit: Sequence[str] = ()  # reasons why the row changes cannot account for the tables

    def folder(self, source: str) -> Path:
        """Create an empty folder for the files of a source."""
        folder = self.scratch / source
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder
