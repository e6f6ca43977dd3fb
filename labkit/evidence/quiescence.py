"""Decide whether the system is still. The decision rests on positions and outstanding work, never on how long labkit has waited.

*Still*: two looks at all positions, at least 250 ms apart, are equal, and nothing is outstanding in them, in between or after.
*Settled*: still, and no own order is PENDING. `State` lists the other outcomes.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from labkit import brokers
from labkit.brokers.model import Bounds, Connection, Place, Position
from labkit.evidence import faults, redis
from labkit.evidence.binlog import replication
from labkit.evidence.binlog.application_writes import wrote_application_tables
from labkit.evidence.environment import utc
from labkit.evidence.mysql import position_of
from labkit.stack import runtimes, sql, transactions
from labkit.stack.model import Stack
from labkit.stack.runtime import Runtime
from labkit.system.model import ObservedTable, Profile

APART = 0.25  # seconds between the two looks that establish stillness
PENDING_FOR = 1.0  # seconds of stillness after which a PENDING order counts as final
BLOCKED_FOR = 10.0  # seconds without movement while something is outstanding
MOVING_FOR = 60.0  # seconds of movement
REPEATS, SOME = 10, 100  # records for each waiting row, and records in excess of the waiting rows, that count as a repetition
UNREAD_FOR = 3.0  # seconds without an answer from a store
LOOK = 0.05  # seconds between two looks
LONGEST_STEP = 1.0  # seconds between two looks that count at most
ANSWER_TIMEOUT = 2.0
NO_SUCH_THING = (1044, 1049, 1054, 1142, 1143, 1146)  # database, column or table: missing, or not readable for labkit


class State(Enum):
    SETTLED = "settled"  # still, and every own order has reached its end
    PENDING = "pending"  # still for 1 s, and an own order is PENDING although no message is left that could move it
    BLOCKED = "blocked"  # something is outstanding, and nothing has moved for 10 s
    REPEATING = "repeating"  # the same messages are published again and again
    MOVING = "moving"  # still moving after 60 s
    UNREAD = "unread"  # a store does not answer


@dataclass(frozen=True)
class Outstanding:
    """Work that must finish before the system is still. `since` is in epoch seconds."""

    condition: str  # outbox, lag, held, transaction, gate, paused, unreadable
    subject: str  # a schema, group, account or component
    detail: str  # a sentence without a full stop
    since: float = 0.0


@dataclass(frozen=True)
class Waiting:
    """The rows of one outbox that are not marked as published, identified as far as one look can: by number, first and last id."""

    schema: str
    rows: int
    first: str
    last: str


@dataclass(frozen=True)
class Wave:
    """One look at all positions. Times are in epoch seconds; `steady` is a monotonic clock, for differences."""

    started: float
    ended: float
    steady: float
    binlog: replication.Position | None
    redis: tuple[str, int] | None
    bounds: dict[Place, Bounds]
    committed: dict[str, dict[Place, Position]]
    outstanding: tuple[Outstanding, ...]
    waiting: tuple[Waiting, ...] = ()

    @property
    def positions(self) -> tuple[Any, ...]:
        """The positions that must be equal between two looks, of the application's own topics and groups only."""
        return self.binlog, self.redis, self.bounds, self.committed

    @property
    def added(self) -> int:
        """The number of records that the partitions have ever received."""
        return sum(of.added for of in self.bounds.values())

    @property
    def readable(self) -> bool:
        return not any(o.condition == "unreadable" for o in self.outstanding)


@dataclass(frozen=True)
class Stillness:
    """The outcome of the wait. `pending` are own orders; `outstanding` is the unfinished work in the last wave."""

    state: State
    seconds: float
    outstanding: tuple[Outstanding, ...]
    pending: tuple[int, ...] = ()
    moved_last: float | None = None  # epoch seconds


class Unanswerable(Exception):
    """A store answers but rejects the query, because a table or column is missing or hidden from labkit."""

    def __init__(self, what: Outstanding) -> None:
        super().__init__(what.detail)
        self.what = what


Own = Callable[[Any, Profile], list[int]]
"""A function from a cursor and a profile to the ids of the own orders that are PENDING."""


def all_orders(cursor: Any, profile: Profile) -> list[int]:
    """Return the PENDING orders of the whole stack: every order counts as own."""
    return _pending(cursor, profile.table("order"), "")


def _pending(cursor: Any, orders: ObservedTable, chosen: str, *values: object) -> list[int]:
    key = orders.source("id")
    cursor.execute(f"SELECT {key} FROM {orders} WHERE {orders.source('state')} = 'PENDING'{chosen} ORDER BY {key}", values or None)
    return [int(order) for (order,) in cursor.fetchall()]


def orders_of(customers: Sequence[int]) -> Own:
    """Return a function for which only the orders of these customers count as own."""

    def own(cursor: Any, profile: Profile) -> list[int]:
        if not customers:
            return []
        orders = profile.table("order")
        return _pending(cursor, orders, f" AND {orders.source('customer_id')} IN %s", list(customers))

    return own


@dataclass
class Watcher:
    """Looks at all positions over connections that stay open, and stores each wave that differs from the one before."""

    stack: Stack
    waves: list[Wave] = field(default_factory=list)
    moved: list[bool] = field(default_factory=list)
    _since: dict[tuple[str, str], float] = field(default_factory=dict)
    _open: dict[str, Any] = field(default_factory=dict)
    _log: tuple[replication.Position, replication.Position] | None = None  # position read so far, position of the last own change

    @cached_property
    def runtime(self) -> Runtime:
        return runtimes.of_stack(self.stack)

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._open):
            self._drop(name)

    def look(self) -> Wave:
        """Return one wave. Never raises for a store that is down."""
        started, steady = time.time(), time.monotonic()
        found: list[Outstanding] = [
            *(Outstanding("paused", name, f"{name} is {how}") for name, how in self.runtime.halted().items()),
            *(Outstanding("gate", "gate", f"a gate is closed: {said}") for said in faults.closed_gates(self.stack)),
        ]
        binlog, waiting = self._ask("mysql", self._mysql, found) or (None, ())
        bounds, committed = self._ask("broker", self._broker, found) or ({}, {})
        counted = self._ask("view", lambda connection, _: redis.writes(connection), found)
        now = time.time()
        keys = {(o.condition, o.subject) for o in found}
        self._since = {key: self._since.get(key, started) for key in keys}
        outstanding = tuple(Outstanding(o.condition, o.subject, o.detail, o.since or self._since[o.condition, o.subject]) for o in found)
        wave = Wave(started, now, steady, binlog, counted, bounds, committed, outstanding, waiting)
        moved = bool(self.waves) and wave.positions != self.waves[-1].positions
        if self.waves and not moved and self.waves[-1].outstanding == wave.outstanding and len(self.waves) > 1 and not self.moved[-1]:
            self.waves[-1] = wave  # a long wait is stored as two waves: its first and its last
        else:
            self.waves.append(wave)
            self.moved.append(moved)
        return wave

    def pending(self, own: Own) -> list[int]:
        """Return the own orders that are PENDING. Raises OSError if MySQL does not answer, Unanswerable if it rejects the query."""
        import pymysql

        try:
            return own(self._connection("mysql"), self.stack.profile)
        except pymysql.MySQLError as error:
            self._drop("mysql")
            if _refuses(error):
                raise Unanswerable(Outstanding("unreadable", "mysql", _no_answer("mysql", error))) from error
            raise OSError(str(error)) from error

    def _ask(self, store: str, question: Callable[[Any, list[Outstanding]], Any], found: list[Outstanding]) -> Any:
        for attempt in (1, 2):  # a lost connection proves nothing: try a new one
            kept = store in self._open
            try:
                return question(self._connection(store), found)
            except Exception as error:
                self._drop(store)
                if not _is_no_answer(error):
                    raise
                if attempt == 2 or not kept:
                    component = {"broker": self.stack.profile.broker, "view": "redis"}.get(store, store)
                    found.append(Outstanding("unreadable", component, _no_answer(component, error)))
                    return None
        return None

    def _connection(self, store: str) -> Any:
        """Return the open connection to a store, or open one. Broker and view may share a server."""
        if store not in self._open:
            context: Any
            if store == "mysql":
                context = sql.connected(self.stack.observer, ANSWER_TIMEOUT)
            elif store == "broker":
                context = brokers.of(self.stack).connect(ANSWER_TIMEOUT)
            else:
                context = redis.Redis(self.stack.redis, ANSWER_TIMEOUT)
            self._open[store] = (context, context.__enter__())
        return self._open[store][1]

    def _drop(self, store: str) -> None:
        if store in self._open:
            context, _ = self._open.pop(store)
            with suppress(Exception):
                context.__exit__(None, None, None)

    def _mysql(self, cursor: Any, found: list[Outstanding]) -> tuple[replication.Position, tuple[Waiting, ...]]:
        waiting = []
        for schema in self.stack.profile.schemas:
            cursor.execute(f"SELECT COUNT(*), MIN(creation_time), MIN(id), MAX(id) FROM `{schema}`.message WHERE published = 0")
            count, oldest, first, last = cursor.fetchone()
            if count:
                waiting.append(Waiting(schema, int(count), str(first), str(last)))
                detail = f"{_count(count, 'message waits', 'messages wait')} in the outbox of {schema} to be published by the relay"
                found.append(Outstanding("outbox", schema, detail, _seconds(oldest)))
        workers = self.stack.profile.workers
        for user, since, count in _open_transactions(cursor, workers):
            component = workers[user]
            found.append(
                Outstanding("transaction", component, f"{component} has {_count(count, 'transaction', 'transactions')} open", since)
            )
        return self._own_position(position_of(cursor)), tuple(waiting)

    def _own_position(self, position: replication.Position) -> replication.Position:
        """Return the position of the last write to the application's tables, as far as the log was read.

        A service may write to other tables of its own at any time.
        """
        if self._log is not None:
            seen, own = self._log
            if position == seen or (seen < position and not wrote_application_tables(self.stack, seen, position)):
                self._log = position, own
                return own
        self._log = position, position
        return position

    def _broker(self, broker: Connection, found: list[Outstanding]) -> tuple[dict[Place, Bounds], dict[str, dict[Place, Position]]]:
        profile = self.stack.profile
        bounds = broker.bounds({name: partitions for name, partitions in broker.channels().items() if name in profile.own_channels})
        committed = {each.subscriber: broker.committed(each.subscriber) for each in profile.subscriptions}
        held: dict[Place, Position] = {}
        for each in profile.subscriptions:
            group, subscribed = each.subscriber, {channel.name for channel in each.channels}
            behind = broker.behind(committed[group], {place: of for place, of in bounds.items() if place[0] in subscribed})
            held |= behind.held
            if behind.lag:
                found.append(_lag(broker, profile, group, behind.lag, committed[group]))
        for place, position in list(held.items())[:1]:
            where = f"{_partition(profile, place)}, from {_said(profile, position)} on"
            found.append(Outstanding("held", profile.broker, f"a producer's open transaction holds back {where}"))
        return bounds, committed


def _partition(profile: Profile, place: Place) -> str:
    return f"{profile.short(place[0])}, partition {place[1]}"


def _said(profile: Profile, position: Position) -> str:
    positions = brokers.positions(profile)
    return f"{positions.noun} {positions.written(position)}"


def _seconds(milliseconds: Any) -> float:
    """Convert milliseconds to epoch seconds. Any other value, from a column that a learner has changed, becomes 0: unknown."""
    try:
        return float(milliseconds or 0) / 1000
    except (TypeError, ValueError):
        return 0.0


def _open_transactions(cursor: Any, accounts: Collection[str]) -> Iterator[tuple[str, float, int]]:
    """Yield (account, start time in whole seconds, number of transactions) for these accounts."""
    cursor.execute("SELECT id, user FROM information_schema.processlist WHERE user IN %s", [list(accounts)])
    users = dict(cursor.fetchall())
    ages: dict[str, list[int]] = {}
    for transaction in transactions.open_transactions(cursor):
        if user := users.get(transaction.connection):
            ages.setdefault(user, []).append(transaction.open_s)
    for user, seconds in sorted(ages.items()):
        yield user, time.time() - max(seconds), len(seconds)


def _lag(broker: Connection, profile: Profile, group: str, behind: Mapping[Place, int], committed: Mapping[Place, Position]) -> Outstanding:
    described = broker.groups([group])
    members, strangers = sum(one.members for one in described), [who for one in described for who in one.strangers]
    place, lag = max(behind.items(), key=lambda item: item[1])
    at = committed.get(place)
    stands = "the beginning" if at is None else _said(profile, at)
    more = f" ({sum(behind.values())} on {len(behind)} partitions)" if len(behind) > 1 else ""
    who = {0: "; the group has no member", 1: ""}.get(members, f"; the group has {members} members")
    who += f", one of them a stranger: {', '.join(strangers)}" if strangers else ""
    return Outstanding("lag", group, f"{group} stands at {stands} of {_partition(profile, place)}, {lag} behind{more}{who}")


def _is_no_answer(error: Exception) -> bool:
    import pymysql

    return isinstance(error, OSError | ValueError | pymysql.MySQLError)


def _refuses(error: Exception) -> bool:
    """Whether the server answered with a refusal: the object is missing, or hidden from labkit."""
    return len(error.args) == 2 and error.args[0] in NO_SUCH_THING


def _no_answer(name: str, error: Exception) -> str:
    return f"{name} refuses: {error.args[1]}" if _refuses(error) else f"{name} does not answer: {error}"


def _count(count: int, one: str, more: str) -> str:
    return f"1 {one}" if count == 1 else f"{count} {more}"


def wait(
    watcher: Watcher,
    own: Own = all_orders,
    *,
    expected: Callable[[int], bool] = lambda order: False,
    tell: Callable[[Wave, float], None] = lambda wave, seconds: None,
    moving_for: float = MOVING_FOR,
    blocked_for: float = BLOCKED_FOR,
) -> Stillness:
    """Look until one of the States is reached.

    `expected` says which orders may stay PENDING. `tell` receives each wave and the seconds waited so far.
    """
    watched = 0.0  # seconds; time in which labkit itself did not run or look does not count
    before: Wave | None = None
    alike_since = quiet_since = unread_since = 0.0  # start of: equal waves; waves without outstanding work; silence of a store
    quiet = unread = False
    moved_last: float | None = None
    stood: dict[tuple[str, str], float] = {}  # since when work is outstanding; a service's own short query is gone at the next look
    repeating: Wave | None = None  # first wave in which the same rows wait
    while True:
        wave = watcher.look()
        if before is not None:
            watched += min(wave.steady - before.steady, LONGEST_STEP)
        stood = {(o.condition, o.subject): stood.get((o.condition, o.subject), watched) for o in wave.outstanding}
        tell(wave, watched)
        if before is None or wave.positions != before.positions:
            moved_last = wave.started if before is not None else None
            alike_since, quiet = watched, False
        if wave.outstanding:
            quiet = False
        elif not quiet:
            quiet, quiet_since = True, watched
        if wave.readable:
            unread = False
        elif not unread:
            unread, unread_since = True, watched
        if repeating is None or not repeating.readable or wave.waiting != repeating.waiting:
            repeating = wave
        state: State | None = None
        pending: list[int] = []
        if _repeats(repeating, wave):
            state = State.REPEATING
        elif unread and watched - unread_since >= UNREAD_FOR:
            state = State.UNREAD
        elif quiet and watched - quiet_since >= APART:
            try:
                pending = [order for order in watcher.pending(own) if not expected(order)]
                long_enough = watched - quiet_since >= PENDING_FOR
                state = State.SETTLED if not pending else State.PENDING if long_enough else None
            except Unanswerable as error:
                return Stillness(State.UNREAD, watched, (*wave.outstanding, error.what), (), moved_last)
            except OSError:
                pass  # try again at the next look
        elif wave.readable and stood and watched - max(alike_since, min(stood.values())) >= blocked_for:
            state = State.BLOCKED
        if state is None and watched >= moving_for:
            state = State.MOVING
        if state is not None:
            return Stillness(state, watched, wave.outstanding, tuple(pending), moved_last)
        before = wave
        time.sleep(LOOK)


def _repeats(since: Wave, wave: Wave) -> bool:
    """Whether the broker received far more records than rows wait, while the same rows wait: the rows are published repeatedly."""
    rows = sum(waiting.rows for waiting in since.waiting)
    if not rows or not wave.readable:
        return False
    more = sum(of.added - since.bounds[place].added for place, of in wave.bounds.items() if place in since.bounds)
    return more > REPEATS * rows + SOME


def rows(watcher: Watcher) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (table, row) for the evidence: the stored waves, and the outstanding work in each."""
    for number, (wave, moved) in enumerate(zip(watcher.waves, watcher.moved, strict=True), 1):
        yield (
            "waves",
            {
                "wave": number,
                "started": utc(wave.started),
                "ended": utc(wave.ended),
                "binlog_file": wave.binlog.file if wave.binlog else None,
                "binlog_position": wave.binlog.offset if wave.binlog else None,
                "redis_writes": wave.redis[1] if wave.redis else None,
                "records_added": wave.added,
                "moved": moved,
            },
        )
        for o in wave.outstanding:
            row = {"wave": number, "condition": o.condition, "subject": o.subject, "detail": o.detail, "since": utc(o.since)}
            yield "outstanding", row
