"""Read a running stack as it is now, to trace one order, customer or message. Nothing is waited for, and nothing is healed."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.trace.customer import customer_story
from labkit.trace.message import message_story
from labkit.trace.model import Story
from labkit.trace.order import story_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from labkit.stack.model import Stack

STORIES: dict[str, Callable[[Any, Any], Story]] = {"order": story_of, "customer": customer_story, "message": message_story}
RECENT_S = 120.0  # an older complaint concerns something else


@contextmanager
def evidence_of_now(stack: "Stack") -> Iterator["DuckDBPyConnection"]:
    """Open a database with the current content of all stores that answer. The database is deleted afterwards."""
    from labkit.evidence.collect import collect

    with tempfile.TemporaryDirectory(prefix="labkit-trace-") as folder:
        connection = collect(stack, Path(folder) / "now.duckdb", wait=False)
        try:
            _note_now(connection, stack)
            yield connection
        finally:
            connection.close()


def _note_now(connection: "DuckDBPyConnection", stack: "Stack") -> None:
    """Add what no store holds: the components that are suspended or do not run, and each service's latest complaint."""
    from labkit.evidence import database, last_words
    from labkit.stack import runtimes

    now = datetime.now(UTC).replace(tzinfo=None)
    runtime = runtimes.of_stack(stack)
    running, halted = runtime.running(), runtime.halted()
    rows: list[dict[str, Any]] = [{"component": name, "event": "pause", "happened": now, "source": "labkit"} for name in halted]
    known = {c for (c,) in connection.execute("SELECT component FROM environment WHERE event = 'end'").fetchall()}
    rows += [
        {"component": c, "event": "end", "happened": now, "source": "labkit"} for c in stack.names if c not in running and c not in known
    ]
    database.insert(connection, "environment", rows)
    connection.execute("DELETE FROM last_words")
    words = [w for w in last_words.rows(runtime, stack.services, time.time() - RECENT_S) if w["said"]]
    database.insert(connection, "last_words", words)
    database.set_fact(connection, "now", now.isoformat())
