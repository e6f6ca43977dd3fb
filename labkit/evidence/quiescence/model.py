"""The data of the wait: samples, outstanding work, and the outcome."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from labkit.brokers.model import Bounds, Place, Position
from labkit.evidence.binlog import replication


class State(Enum):
    """The outcomes of the wait."""

    SETTLED = "settled"  # still, and every order of interest has reached its end
    PENDING = "pending"  # still for 1 s, and an order of interest is PENDING although no message is left that could move it
    BLOCKED = "blocked"  # something is outstanding, and nothing has moved for 10 s
    REPEATING = "repeating"  # the same messages are published again and again
    MOVING = "moving"  # still moving after 60 s
    UNREAD = "unread"  # a store does not answer


@dataclass(frozen=True)
class Outstanding:
    """Work that must finish before the system is still. `since` is in epoch seconds; 0 if unknown."""

    condition: str  # outbox, lag, held, transaction, gate, paused, unreadable
    subject: str  # a schema, group, account or component
    detail: str  # a sentence without a full stop
    since: float = 0.0


@dataclass(frozen=True)
class UnpublishedRows:
    """The rows of one outbox that are not marked as published, identified as far as one query can: by number, first and last id.

    `since`: when the oldest row was written, in epoch seconds; 0 if unknown.
    """

    schema: str
    rows: int
    first: str
    last: str
    since: float


@dataclass(frozen=True)
class Sample:
    """All positions and the outstanding work at one time.

    `started` and `ended` are in epoch seconds. `monotonic_s` is on a monotonic clock, for differences. `redis` is the server's run id and
    its number of writes.
    """

    started: float
    ended: float
    monotonic_s: float
    binlog: replication.Position | None
    redis: tuple[str, int] | None
    bounds: dict[Place, Bounds]
    committed: dict[str, dict[Place, Position]]
    outstanding: tuple[Outstanding, ...]
    unpublished: tuple[UnpublishedRows, ...] = ()

    @property
    def positions(self) -> tuple[Any, ...]:
        """The positions that must be equal between two samples, of the application's own channels and groups only."""
        return self.binlog, self.redis, self.bounds, self.committed

    @property
    def added(self) -> int:
        """The number of records that the partitions have ever received."""
        return sum(of.added for of in self.bounds.values())

    @property
    def readable(self) -> bool:
        """Whether every store answered."""
        return not any(o.condition == "unreadable" for o in self.outstanding)


@dataclass(frozen=True)
class Stillness:
    """The outcome of the wait.

    `waited_s`: seconds of the wait. `outstanding`: the unfinished work in the last sample. `pending`: orders of interest that are PENDING.
    `moved_last`: when a position last moved, in epoch seconds; None if none moved.
    """

    state: State
    waited_s: float
    outstanding: tuple[Outstanding, ...]
    pending: tuple[int, ...] = ()
    moved_last: float | None = None
