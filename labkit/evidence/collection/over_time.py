"""Every committed change from the mark up to the moment at which the tables were read."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from labkit.evidence import database, replay, table_files, unconverted
from labkit.evidence.collection.model import Collection
from labkit.evidence.worker import StoreGone
from labkit.system.model import Profile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def read(collection: Collection) -> None:
    """Read the row changes from the binlog into the evidence."""
    connection, profile, mark, stop = collection.connection, collection.stack.profile, collection.mark, collection.snapshot
    if stop is None:
        reason = "the tables could not be read, so there is no moment to read the changes up to"
        database.set_complete(connection, "binlog", reason, "mysql")
        return
    if mark is None:
        database.set_complete(connection, "binlog", "the mark where this run begins is not there (mark.json)")
        return
    folder, worker = collection.folder("binlog"), collection.workers["mysql"]
    span = {"start": asdict(mark.binlog), "stop": asdict(stop)}
    worker.begin("binlog", account=asdict(collection.stack.observer), profile=profile.name, folder=str(folder), **span)
    collection.tell("reading the binlog")
    try:
        result = worker.result(lambda count: collection.tell(f"reading the binlog: {count:,} changes"))
    except StoreGone as gone:
        why = str(gone) if gone.unreadable else f"mysql could not be read: {gone}"
        database.set_complete(connection, "binlog", why, None if gone.unreadable else "mysql")
        return
    collection.tell("loading the changes")
    not_read = unconverted.reason(table_files.load(connection, folder), profile)
    note_changes(connection, profile, result["reason"], collection.unfit, not_read)


def note_changes(
    connection: "DuckDBPyConnection", profile: Profile, reason: str | None, unfit: Sequence[str], not_read: str | None
) -> None:
    """Record whether the loaded changes are complete.

    They are incomplete if their reader gives a `reason`, if a table is `unfit`, or if a replay of the changes does not lead to the tables.
    """
    reason = reason or next(iter(unfit), not_read)
    tables_read = connection.execute("SELECT complete FROM completeness WHERE source = 'tables'").fetchone()
    if reason is None and tables_read and tables_read[0]:
        reason = replay.difference(connection, profile)
    database.set_complete(connection, "binlog", reason)
