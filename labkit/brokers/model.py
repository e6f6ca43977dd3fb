"""The interface of a broker: the queries and operations that labkit needs from every product.

A *channel* has *partitions*. Each partition is a log of *records*. A *position* is a place in one such log. Positions are ordered within
their partition and have no other meaning: only the broker's own folder calculates with them. They can therefore be Kafka's offsets,
consecutive numbers of 64 bits, or the ids of a Redis stream, two numbers of 64 bits with gaps.

A position is an int here and a HUGEINT in the evidence, because Python, SQL and JSON all order integers in the same way. 128 bits hold both
numbers of a stream's id (the first is shifted left by 64), and Kafka's offsets remain the familiar numbers. `Positions.written` returns the
form for people and files. SQL has macros for it, which the broker defines: `position_text` (`17`) and `position_words` (`offset 17`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, NewType, Protocol, Self

from labkit.account import Account
from labkit.system.model import Profile

PLANTED_BY = "labkit-fault"  # header of records that labkit plants; its value is the fault's id

Position = NewType("Position", int)

Place = tuple[str, int]
"""Channel and partition."""


@dataclass(frozen=True)
class Bounds:
    """The extent of one partition.

    `start`: the first position that may hold a record. `end`: the position after the last record; the next record gets this position or a
    higher one. `records`: the number of records in the log. `added`: the number ever added. Both numbers may include positions without a
    record.
    """

    start: Position
    end: Position
    records: int
    added: int


@dataclass(frozen=True)
class Group:
    """A consumer group.

    `committed`: the position at which the group continues, for each place that it has ever committed. All records before it are taken.
    """

    id: str
    state: str
    members: int
    committed: Mapping[Place, Position]
    strangers: tuple[str, ...] = ()  # members that do not belong to the stack


@dataclass(frozen=True)
class Behind:
    """What a group has not taken yet.

    `lag`: the highest possible number of records, for each place that has a record for the group. `held`: where records wait for the end of
    a producer's transaction, and from which position on.
    """

    lag: Mapping[Place, int]
    held: Mapping[Place, Position]


class Record(NamedTuple):
    """One record.

    `value`: None if the broker holds none, or an unreadable one. `time_ms`: its timestamp in milliseconds since 1970.
    """

    channel: str
    partition: int
    position: Position
    key: bytes | None
    value: bytes | None
    time_ms: int | None
    planted_by: str | None  # the id of labkit's fault


class Positions(Protocol):
    """The text form of positions."""

    noun: str
    """The word for a position: `offset`."""
    sql: str
    """An SQL expression for the text of the position in the column `position`."""

    def written(self, position: Position) -> int | str:
        """Return a position in its form for files, JSON and people."""

    def read(self, written: object) -> Position | None:
        """Return the position for a written form, or None if it is not a position."""

    def after(self, position: Position) -> Position:
        """Return where a group continues after it has taken the record at this position."""


class Connection(Protocol):
    """An open connection, for queries that are made many times a second.

    Raises OSError if the broker does not answer in time, ValueError if it answers with an error.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def channels(self) -> dict[str, int]:
        """Return all channels with their number of partitions, except the broker's internal ones."""

    def bounds(self, channels: Mapping[str, int]) -> dict[Place, Bounds]:
        """Return the bounds of each partition."""

    def committed(self, group: str) -> dict[Place, Position]:
        """Return a group's positions, see Group; empty for a group that does not exist."""

    def group_ids(self) -> list[str]: ...

    def groups(self, ids: Iterable[str]) -> list[Group]: ...

    def behind(self, committed: Mapping[Place, Position], bounds: Mapping[Place, Bounds]) -> Behind:
        """Return what a group that takes these places has not taken yet."""

    def empty(self, channels: Mapping[str, int]) -> dict[Place, Position]:
        """Delete every record. Return where each partition starts now; a channel that was deleted meanwhile is left out."""


class HasBroker(Protocol):
    """A stack."""

    @property
    def profile(self) -> Profile: ...

    @property
    def broker(self) -> Account: ...


class Broker(Protocol):
    """A broker. Each call opens a connection of its own.

    Raises OSError with a sentence, without its full stop, that names the broker.
    """

    title: str

    @property
    def positions(self) -> Positions: ...

    @staticmethod
    def load() -> None:
        """Import the libraries for reading records early, while nothing waits for them."""

    def connect(self, timeout_s: float) -> Connection: ...

    def read(
        self, starts: Mapping[Place, Position], ends: Mapping[Place, Position], *, silence_s: float = 10.0
    ) -> Iterator[Collection[Record]]:
        """Yield the records of each place from its start up to its end, in batches. No consumer group is affected.

        Also raises OSError if no record arrives for `silence_s`.
        """

    def publish(self, channel: str, key: bytes, value: bytes, *, planted_by: str, partition: int | None = None) -> tuple[int, Position]:
        """Publish one record with the header PLANTED_BY. Return its partition and position.

        Without `partition`, the key determines the partition.
        """

    def trim(self, place: Place, before: Position) -> Position:
        """Delete the records before this position. Return where the partition starts now."""

    def move(self, group: str, place: Place, position: Position) -> None:
        """Set the position at which a group continues. The group must have no running member."""

    def partition_of(self, key: bytes, partitions: int) -> int:
        """Return the partition for a key in a channel with this many partitions."""

    def ensure(self, channel: str, partitions: int) -> None:
        """Create a channel if it does not exist."""
