"""Collect every store of a stack into one evidence file, all at one moment at which the stack is still."""

import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import __version__
from labkit.evidence import (
    database,
    environment,
    faults,
    handlers,
    last_words,
    mark,
    movers,
    partitions,
    quiescence,
    replay,
    replies,
    table_files,
    unread,
)
from labkit.evidence.binlog.replication import Position
from labkit.evidence.quiescence import State, Stillness, Watcher, Wave
from labkit.evidence.worker import StoreGone, Worker
from labkit.faults import blame
from labkit.stack import complaints as last_said
from labkit.stack.model import Stack
from labkit.system.model import Profile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TRIES = 3  # attempts to collect a moment at which nothing moves
STILLNESS = {
    State.SETTLED: "settled",
    State.PENDING: "still",
    State.BLOCKED: "stuck",
    State.REPEATING: "repeating",
    State.MOVING: "moving",
    State.UNREAD: "unread",
}
STORE_OF = {"view": "redis", "tables": "mysql", "records": "broker"}
ALL = frozenset(database.SOURCES)

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
    """A collection in progress. `connection` is its evidence database."""

    stack: Stack
    connection: "DuckDBPyConnection"
    scratch: Path
    workers: dict[str, Worker]
    watcher: Watcher
    tell: Tell
    begin: mark.Mark | None
    sources: frozenset[str]
    snapshot: Position | None = None
    unfit: Sequence[str] = ()  # reasons why the row changes cannot account for the tables

    def folder(self, source: str) -> Path:
        """Create an empty folder for the files of a source."""
        folder = self.scratch / source
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder


def collect(
    stack: Stack,
    path: Path,
    scenario: Scenario | None = None,
    *,
    tell: Tell = lambda what: None,
    sources: frozenset[str] = ALL,
    wait: bool = True,
    moving_for: float = quiescence.MOVING_FOR,
    blocked_for: float = quiescence.BLOCKED_FOR,
) -> "DuckDBPyConnection":
    """Wait until the stack is still, collect all stores, and write the evidence to `path`.

    Returns the open database. The file at `path` is replaced only once the evidence is finished. The table `completeness` records what
    could not be read; a store that is down costs only its own tables. `sources` limits the collection to these sources. Without `wait`, the
    stores are read at once, whether or not they are moving.
    """
    scenario = scenario or Scenario()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    _remove(unfinished)
    with ExitStack() as opened:
        stalls = opened.enter_context(environment.StallWatch())
        scratch = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="labkit-evidence-")))
        if "binlog" in sources:
            sources |= {"tables"}  # the tables' position is where the changes end
        workers = {store: opened.enter_context(Worker(store, stack.profile)) for source, store in STORE_OF.items() if source in sources}
        watcher = opened.enter_context(Watcher(stack))
        connection = database.new(unfinished, stack.profile)
        try:
            started = time.time()
            collection = Collection(stack, connection, scratch, workers, watcher, tell, mark.read(stack.directory, stack.profile), sources)
            if wait:
                stillness = _of_one_moment(collection, scenario, moving_for, blocked_for)
            else:
                stillness = None
                _end_state(collection)
            if "binlog" in sources:
                _over_time(collection)
            replies.resolve(connection)
            with database.together(connection):
                _surroundings(collection, scenario, stillness, stalls)
                _facts(collection, scenario, stillness, started)
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


def _readable(watcher: Watcher) -> Wave:
    """Look at all stores. Look again while one of them does not answer: a single missing answer proves nothing."""
    given_up = time.monotonic() + quiescence.UNREAD_FOR
    while not (wave := watcher.look()).readable and time.monotonic() < given_up:
        time.sleep(quiescence.LOOK)
    return wave


def _of_one_moment(collection: Collection, scenario: Scenario, moving_for: float, blocked_for: float) -> Stillness:
    """Wait, collect and look again. Repeat if anything moved in the meantime."""
    own = quiescence.orders_of(scenario.customers) if scenario.customers else quiescence.all_orders
    expected = frozenset(scenario.expected_pending)

    def waiting(wave: Wave, seconds: float) -> None:
        if wave.outstanding:
            collection.tell(f"waiting, {seconds:.0f} s: {wave.outstanding[0].detail}")

    stillness, moved = None, ""
    for _ in range(TRIES):
        if stillness is None or stillness.state in (State.SETTLED, State.PENDING):
            found = quiescence.wait(
                collection.watcher, own, expected=expected.__contains__, tell=waiting, moving_for=moving_for, blocked_for=blocked_for
            )
            stillness = found
        before = collection.watcher.waves[-1]
        _end_state(collection)
        after = collection.watcher.look() if stillness.state is State.UNREAD else _readable(collection.watcher)
        moved = movers.between(before, after, collection.stack.profile)
        if not moved and after.outstanding and after.readable and stillness.state in (State.SETTLED, State.PENDING):
            moved = after.outstanding[0].detail
        if not moved or stillness.state in (State.REPEATING, State.MOVING, State.UNREAD):
            break
    assert stillness is not None
    if moved:
        who = movers.writer(collection.stack)
        if who:
            database.set_fact(collection.connection, "stillness_writer", who)
        reason = f"the stores did not stand still while they were read: {moved}" + (f"; {who} writes" if who else "")
        database.set_complete(collection.connection, "moment", reason)
    elif not after.readable:
        unread = next(o for o in after.outstanding if o.condition == "unreadable")
        database.set_complete(collection.connection, "moment", unread.detail, unread.subject)
    else:
        database.set_complete(collection.connection, "moment")
    return stillness


def _end_state(collection: Collection) -> None:
    """Read the current state of all stores in parallel."""
    stack, workers, connection = collection.stack, collection.workers, collection.connection
    with database.together(connection):
        connection.execute("DELETE FROM completeness WHERE source IN ('tables', 'records', 'groups', 'view')")
        for table in {
            *(table for source in STORE_OF for table in database.SOURCES[source]),
            *(table.name for table in stack.profile.tables),
            "partitions",
            "group_offsets",
            "planted_records",
        }:
            connection.execute(f"DELETE FROM {table}")
    folders = {source: collection.folder(source) for source in STORE_OF}
    if "tables" in collection.sources:
        workers["mysql"].begin("tables", account=asdict(stack.observer), profile=stack.profile.name, folder=str(folders["tables"]))
    if "view" in collection.sources:
        workers["redis"].begin("view", account=asdict(stack.redis), profile=stack.profile.name, folder=str(folders["view"]))
    spans = partitions.read(connection, stack, collection.begin)
    if "records" in collection.sources:
        planters = faults.unanswered(stack)
        workers["broker"].begin(
            "records",
            account=asdict(stack.broker),
            profile=stack.profile.name,
            starts=[[*place, start] for place, (start, _) in spans.items()],
            ends=[[*place, end] for place, (_, end) in spans.items()],
            folder=str(folders["records"]),
            unanswered=planters,
        )
    collection.snapshot = None
    for source, store in STORE_OF.items():
        if source not in collection.sources:
            continue
        if source == "records" and not spans:
            continue  # the source `groups` gives the reason; without start positions there is nothing to read
        collection.tell(f"reading {source}")
        try:
            done = workers[store].result(lambda count, source=source: collection.tell(f"reading {source}: {count:,} rows"))  # type: ignore[misc]
        except StoreGone as gone:
            component = stack.profile.broker if store == "broker" else store
            database.set_complete(connection, source, f"{component} could not be read: {gone}", component)
            continue
        not_read = unread.reason(table_files.load(connection, folders[source]), stack.profile)
        if source == "tables":
            _note_tables(collection, done)
        database.set_complete(connection, source, not_read)


def _note_tables(collection: Collection, done: Mapping[str, Any]) -> None:
    collection.snapshot = Position(**done["position"])
    database.set_fact(collection.connection, "mysql_kind", done["kind"])
    database.set_fact(collection.connection, "mysql_version", done["version"])
    if done["missing"]:
        database.set_complete(collection.connection, "tables", done["missing"][0])
    collection.unfit = done["unfit"]


def _over_time(collection: Collection) -> None:
    """Read every committed change from the mark up to the moment at which the tables were read."""
    connection, begin, stop = collection.connection, collection.begin, collection.snapshot
    if stop is None:
        database.set_complete(
            connection, "binlog", "the tables could not be read, so there is no moment to read the changes up to", "mysql"
        )
        return
    if begin is None:
        database.set_complete(connection, "binlog", "the mark where this run begins is not there (mark.json)")
        return
    folder = collection.folder("binlog")
    place = {"start": asdict(begin.binlog), "stop": asdict(stop)}
    collection.workers["mysql"].begin(
        "binlog", account=asdict(collection.stack.observer), profile=collection.stack.profile.name, folder=str(folder), **place
    )
    collection.tell("reading the binlog")
    try:
        done = collection.workers["mysql"].result(lambda count: collection.tell(f"reading the binlog: {count:,} changes"))
    except StoreGone as gone:
        why = str(gone) if gone.unreadable else f"mysql could not be read: {gone}"
        database.set_complete(connection, "binlog", why, None if gone.unreadable else "mysql")
        return
    collection.tell("loading the changes")
    not_read = unread.reason(table_files.load(connection, folder), collection.stack.profile)
    note_changes(connection, collection.stack.profile, done["reason"], collection.unfit, not_read)


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


def _surroundings(collection: Collection, scenario: Scenario, stillness: Stillness | None, stalls: environment.StallWatch) -> None:
    connection, stack, runtime = collection.connection, collection.stack, collection.watcher.runtime
    since = collection.begin.time if collection.begin else 0.0
    database.insert(connection, "requests", scenario.requests)
    database.insert(connection, "scope", [{"customer_id": customer} for customer in scenario.customers])
    database.insert(connection, "expected_pending", [{"order_id": order} for order in scenario.expected_pending])
    if scenario.requests:
        database.set_complete(connection, "rest")
    for table, row in quiescence.rows(collection.watcher):
        database.insert(connection, table, [row])
    stalls.look()
    spans = blame.spans(stack.directory)
    begun = max(since, scenario.since)
    events = [*environment.with_ports(stack, runtime, environment.events(runtime, begun, spans)), *scenario.stalls, *stalls.found]
    database.insert(connection, "environment", [event.row() for event in events])
    database.set_complete(connection, "environment", runtime.unwatched(begun))
    found, planted = faults.rows(stack, collection.begin.ledger if collection.begin else 0)
    database.insert(connection, "faults", found)
    found_there = set(connection.execute("SELECT topic, partition_no, offset_no FROM planted_records").fetchall())
    database.insert(
        connection, "planted_records", [p for p in planted if (p["topic"], p["partition_no"], p["offset_no"]) not in found_there]
    )
    database.set_complete(connection, "faults")
    ended = {event.component for event in events if event.event == "end" and not event.by_labkit}
    outstanding = stillness.outstanding if stillness else ()
    takers = {each.subscriber: each.component for each in stack.profile.subscriptions}
    blamed = {takers.get(o.subject, o.subject) for o in outstanding}
    blamed |= {"relay"} if any(o.condition == "outbox" for o in outstanding) else set()
    words = last_words.rows(runtime, [name for name in stack.services if name in ended | blamed], begun, events)
    database.insert(connection, "last_words", words)
    for name in sorted(blamed & set(stack.services) - {row["component"] for row in words}):
        if runtime.runs(name) and (doing := last_said.doing(runtime, name)) is not None:
            database.set_fact(connection, f"doing {name}", doing)
    handlers.load(connection, runtime)


def _facts(collection: Collection, scenario: Scenario, stillness: Stillness | None, started: float) -> None:
    stack, begin = collection.stack, collection.begin
    known: dict[str, str | None] = {
        "run": uuid.uuid4().hex,
        "stack": stack.name,
        "runtime": stack.runtime,
        "labkit": __version__,
        "seed": None if scenario.seed is None else str(scenario.seed),
        "started": environment.utc(started).isoformat(),
        "ended": environment.utc(time.time()).isoformat(),
        "mark": json.dumps({"time": begin.time, "binlog": str(begin.binlog)}) if begin else None,
        "snapshot": str(collection.snapshot) if collection.snapshot else None,
        "down": " ".join(name for name in stack.services if not collection.watcher.runtime.runs(name)) or None,
    }
    if stillness is not None:
        moving = stillness.state is State.MOVING
        known |= {
            "stillness": STILLNESS[stillness.state],
            "stillness_seconds": f"{stillness.seconds:.2f}",
            "stillness_detail": stillness.outstanding[0].detail if stillness.outstanding else None,
            "stillness_rate": movers.rate(collection.watcher.waves) if moving else None,
            "stillness_writer": movers.writer(stack) if moving else None,
            "pending": json.dumps(list(stillness.pending)),
        }
    for name, value in known.items():
        if value is not None:
            database.set_fact(collection.connection, name, value)
