"""Collect every store of a stack into one evidence file, all at one moment at which the stack is still."""

import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.evidence import database, environment, mark, replies
from labkit.evidence.collection import end_state, facts, moment, over_time, surroundings
from labkit.evidence.collection.model import SOURCES, STORES, Collection, Scenario, Tell
from labkit.evidence.quiescence.wait import BLOCKED_FOR_S, MOVING_FOR_S
from labkit.evidence.quiescence.watcher import Watcher
from labkit.evidence.worker import Worker
from labkit.stack.model import Stack

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def collect(
    stack: Stack,
    path: Path,
    scenario: Scenario | None = None,
    *,
    tell: Tell = lambda what: None,
    sources: frozenset[str] = SOURCES,
    wait: bool = True,
    moving_for_s: float = MOVING_FOR_S,
    blocked_for_s: float = BLOCKED_FOR_S,
) -> "DuckDBPyConnection":
    """Wait until the stack is still, collect all stores, and write the evidence to `path`.

    Returns the open database. The file at `path` is replaced only once the evidence is finished. The table `completeness` records what
    could not be read; a store that is down costs only its own tables. `sources` limits the collection to these sources. Without `wait`, the
    stores are read at once, whether or not they are moving.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    _remove(unfinished)
    with ExitStack() as opened:
        stalls = opened.enter_context(environment.StallWatch())
        scratch = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="labkit-evidence-")))
        if "binlog" in sources:
            sources |= {"tables"}  # the tables' position is where the changes end
        workers = {store: opened.enter_context(Worker(store, stack.profile)) for source, store in STORES.items() if source in sources}
        watcher = opened.enter_context(Watcher(stack))
        connection = database.new(unfinished, stack.profile)
        try:
            started = time.time()
            begin = mark.read(stack.directory, stack.profile)
            collection = Collection(stack, scenario or Scenario(), connection, scratch, workers, watcher, tell, begin, sources)
            if wait:
                stillness = moment.read(collection, moving_for_s, blocked_for_s)
            else:
                stillness = None
                end_state.read(collection)
            if "binlog" in sources:
                over_time.read(collection)
            replies.resolve(connection)
            with database.in_one_transaction(connection):
                surroundings.insert(collection, stillness, stalls)
                facts.insert(collection, stillness, started)
                database.finish(connection)
            connection.execute("CHECKPOINT")
        except BaseException:
            connection.close()
            _remove(unfinished)
            raise
    unfinished.replace(path)
    return connection


def _remove(path: Path) -> None:
    for leftover in (path, path.with_name(f"{path.name}.wal")):
        leftover.unlink(missing_ok=True)
