"""The end state: every store as it is, read in parallel."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labkit.evidence import database, faults, partitions, table_files, unconverted
from labkit.evidence.binlog.replication import Position
from labkit.evidence.collection.model import STORES, Collection
from labkit.evidence.worker import StoreGone


def read(collection: Collection) -> None:
    """Read all stores into the evidence, in place of what an earlier attempt read."""
    _clear(collection)
    folders = {source: collection.folder(source) for source in STORES}
    spans = _begin(collection, folders)
    collection.snapshot = None
    for source in STORES:
        if source not in collection.sources:
            continue
        if source == "records" and not spans:
            continue  # the source `groups` gives the reason; without start positions there is nothing to read
        _load(collection, source, folders[source])


def _clear(collection: Collection) -> None:
    connection = collection.connection
    with database.in_one_transaction(connection):
        connection.execute("DELETE FROM completeness WHERE source IN ('tables', 'records', 'groups', 'view')")
        for table in {
            *(table for source in STORES for table in database.SOURCES[source]),
            *(table.name for table in collection.stack.profile.tables),
            "partitions",
            "group_offsets",
            "planted_records",
        }:
            connection.execute(f"DELETE FROM {table}")


def _begin(collection: Collection, folders: Mapping[str, Path]) -> partitions.Spans:
    """Start the workers. Return which records are read."""
    stack, workers = collection.stack, collection.workers
    profile = stack.profile.name
    if "tables" in collection.sources:
        workers["mysql"].begin("tables", account=asdict(stack.observer), profile=profile, folder=str(folders["tables"]))
    if "view" in collection.sources:
        workers["redis"].begin("view", account=asdict(stack.redis), profile=profile, folder=str(folders["view"]))
    spans = partitions.read(collection.connection, stack, collection.mark)
    if "records" in collection.sources:
        workers["broker"].begin(
            "records",
            account=asdict(stack.broker),
            profile=profile,
            starts=[[*place, start] for place, (start, _) in spans.items()],
            ends=[[*place, end] for place, (_, end) in spans.items()],
            folder=str(folders["records"]),
            unanswered=faults.unanswered(stack),
        )
    return spans


def _load(collection: Collection, source: str, folder: Path) -> None:
    """Wait for the worker of a source, and load its files."""
    connection, profile, store = collection.connection, collection.stack.profile, STORES[source]
    collection.tell(f"reading {source}")
    try:
        result = collection.workers[store].result(lambda count: collection.tell(f"reading {source}: {count:,} rows"))
    except StoreGone as gone:
        component = profile.broker if store == "broker" else store
        database.set_complete(connection, source, f"{component} could not be read: {gone}", component)
        return
    not_read = unconverted.reason(table_files.load(connection, folder), profile)
    if source == "tables":
        _note_tables(collection, result)
    database.set_complete(connection, source, not_read)


def _note_tables(collection: Collection, result: Mapping[str, Any]) -> None:
    collection.snapshot = Position(**result["position"])
    database.set_fact(collection.connection, "mysql_kind", result["kind"])
    database.set_fact(collection.connection, "mysql_version", result["version"])
    if result["missing"]:
        database.set_complete(collection.connection, "tables", result["missing"][0])
    collection.unfit = result["unfit"]
