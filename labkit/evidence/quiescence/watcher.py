"""Take samples: ask every store for its positions and its outstanding work."""

import time
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from labkit.brokers.model import Bounds, Connection, Place, Position
from labkit.evidence import redis
from labkit.evidence.binlog import replication
from labkit.evidence.binlog.application_writes import wrote_application_tables
from labkit.evidence.mysql import position_of
from labkit.evidence.quiescence import outstanding
from labkit.evidence.quiescence.connections import Connections, StoreSilent
from labkit.evidence.quiescence.model import Outstanding, Sample, UnpublishedRows
from labkit.evidence.quiescence.pending_orders import PendingOrders
from labkit.stack import runtimes
from labkit.stack.model import Stack
from labkit.stack.runtime import Runtime

MySQLPositions = tuple[replication.Position, tuple[UnpublishedRows, ...]]
BrokerPositions = tuple[dict[Place, Bounds], dict[str, dict[Place, Position]]]


class Watcher:
    """Takes samples over connections that stay open, and stores each sample that differs from the one before.

    `moved` says for each stored sample whether a position moved since the sample before it.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.samples: list[Sample] = []
        self.moved: list[bool] = []
        self._connections = Connections(stack)
        self._since: dict[tuple[str, str], float] = {}  # since when work is outstanding, by condition and subject
        self._searched: replication.Position | None = None  # how far the binlog was searched for writes of the application
        self._written: replication.Position | None = None  # where the last of these writes ends

    @cached_property
    def runtime(self) -> Runtime:
        return runtimes.of_stack(self.stack)

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(self, *_: object) -> None:
        self._connections.close()

    def sample(self) -> Sample:
        """Take a sample. Never raises for a store that is down."""
        started, monotonic_s = time.time(), time.monotonic()
        found = [*outstanding.paused(self.runtime), *outstanding.at_gates(self.stack)]
        binlog, unpublished = self._ask("mysql", self._mysql, found) or (None, ())
        bounds, committed = self._ask("broker", self._broker, found) or ({}, {})
        writes = self._ask("view", lambda connection: (redis.writes(connection), ()), found)
        ended = time.time()
        sample = Sample(started, ended, monotonic_s, binlog, writes, bounds, committed, self._dated(found, started), unpublished)
        self._store(sample)
        return sample

    def pending(self, pending_orders: PendingOrders) -> list[int]:
        """Return the orders of interest that are PENDING. Raises StoreSilent."""
        found = self._connections.ask_once("mysql", lambda cursor: pending_orders(cursor, self.stack.profile))
        return [int(order) for order in found]

    def _ask(self, store: str, question: Callable[[Any], tuple[Any, Iterable[Outstanding]]], found: list[Outstanding]) -> Any:
        """Return a store's positions and add its outstanding work to `found`. Return None if it does not answer."""
        try:
            positions, work = self._connections.ask(store, question)
        except StoreSilent as error:
            found.append(Outstanding("unreadable", error.component, str(error)))
            return None
        found.extend(work)
        return positions

    def _mysql(self, cursor: Any) -> tuple[MySQLPositions, list[Outstanding]]:
        profile = self.stack.profile
        unpublished = tuple(outstanding.unpublished_rows(cursor, profile.schemas))
        work = [*outstanding.in_outboxes(unpublished), *outstanding.in_transactions(cursor, profile.workers)]
        return (self._last_application_write(position_of(cursor)), unpublished), work

    def _broker(self, broker: Connection) -> tuple[BrokerPositions, list[Outstanding]]:
        profile = self.stack.profile
        bounds = broker.bounds({name: partitions for name, partitions in broker.channels().items() if name in profile.own_channels})
        committed = {each.subscriber: broker.committed(each.subscriber) for each in profile.subscriptions}
        return (bounds, committed), list(outstanding.in_channels(broker, profile, bounds, committed))

    def _last_application_write(self, position: replication.Position) -> replication.Position:
        """Return where the last write to the application's tables ends, as far as the log was searched: up to `position`.

        A service may write to other tables of its own at any time.
        """
        searched, written = self._searched, self._written
        if searched is None or written is None or self._application_wrote(searched, position):
            written = position
        self._searched, self._written = position, written
        return written

    def _application_wrote(self, start: replication.Position, stop: replication.Position) -> bool:
        """Whether the application wrote between two positions. A log that was deleted and begun again counts as written."""
        return start > stop or (start < stop and wrote_application_tables(self.stack, start, stop))

    def _dated(self, found: list[Outstanding], started: float) -> tuple[Outstanding, ...]:
        """Add since when work is outstanding, where the store does not know: since the first of the samples in a row that have it."""
        keys = {(o.condition, o.subject) for o in found}
        self._since = {key: self._since.get(key, started) for key in keys}
        return tuple(Outstanding(o.condition, o.subject, o.detail, o.since or self._since[o.condition, o.subject]) for o in found)

    def _store(self, sample: Sample) -> None:
        moved = bool(self.samples) and sample.positions != self.samples[-1].positions
        if len(self.samples) > 1 and not moved and not self.moved[-1] and self.samples[-1].outstanding == sample.outstanding:
            self.samples[-1] = sample  # a long wait is stored as two samples: its first and its last
        else:
            self.samples.append(sample)
            self.moved.append(moved)
