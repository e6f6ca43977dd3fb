"""What a broker is to labkit: the questions that it answers and the few things that it does, whichever product it is.

A *channel* has *partitions*, each of which is a log of *records*. A *position* is a place in one such log. Positions are ordered within
their partition and say nothing else: only the broker's own folder calculates with them. So they can be Kafka's offsets, which are numbers
of 64 bits in a row, and the ids of a Redis stream, which are two numbers of 64 bits with gaps.

A position is an int here and a HUGEINT in the evidence. An int is the one form that Python, SQL and JSON order in the same way; 128 bits
hold both numbers of a stream's id (the first one shifted to the left by 64), and Kafka's offsets stay the numbers that people know. What
people see, and what files say, is `Positions.written`; SQL has the macro `position_text`, which the broker defines.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, NewType, Protocol, Self

from labkit.account import Account
from labkit.system.model import Profile

PLANTED_BY = "labkit-fault"  # the header of records that labkit plants: the fault's id

Position = NewType("Position", int)

Place = tuple[str, int]
"""Channel and partition."""


@dataclass(frozen=True)
class Bounds:
    """Of one partition. `start` is the first position that may hold a record. `end` is behind every record: the next one gets it, or a
    higher one. `records` counts what is there now, and `added` what ever was; both may count positions without a record."""

    start: Position
    end: Position
    records: int
    added: int


@dataclass(frozen=True)
class Group:
    """A consumer group. `committed` has the places that it ever committed, each with the position where it goes on: all records before it
    are taken."""

    id: str
    state: str
    members: int
    committed: Mapping[Place, Position]
    strangers: tuple[str, ...] = ()  # members beside the stack's own


@dataclass(frozen=True)
class Behind:
    """What a group has yet to take: how many records at most, of the places that hold a record for it. `held`: where records wait for the
    end of a producer's transaction, and from which position on."""

    lag: Mapping[Place, int]
    held: Mapping[Place, Position]


class Record(NamedTuple):
    """`value` is None where the broker holds none, or one that nobody can read. `time_ms`: its time stamp in milliseconds since 1970."""

    channel: str
    partition: int
    position: Position
    key: bytes | None
    value: bytes | None
    time_ms: int | None
    planted_by: str | None  # the id of a fault of labkit's


class Positions(Protocol):
    """How positions are written."""

    noun: str
    """What people call one: `offset`."""
    sql: str
    """An SQL expression for the text of a position in the column `position`."""

    def written(self, position: Position) -> int | str:
        """As files, JSON and people have it."""

    def read(self, written: object) -> Position | None:
        """The reverse. None for what is no position."""

    def after(self, position: Position) -> Position:
        """Where a group goes on that has taken the record at this position."""


class Connection(Protocol):
    """Stays open, for questions that are asked many times a second. Raises OSError when nobody answers in time, ValueError for an answer
    that is an error."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def channels(self) -> dict[str, int]:
        """All of them with how many partitions they have; the broker's own are left out."""

    def bounds(self, channels: Mapping[str, int]) -> dict[Place, Bounds]:
        """Of each partition."""

    def committed(self, group: str) -> dict[Place, Position]:
        """See Group. Empty for a group that does not exist."""

    def group_ids(self) -> list[str]: ...

    def groups(self, ids: Iterable[str]) -> list[Group]: ...

    def behind(self, committed: Mapping[Place, Position], bounds: Mapping[Place, Bounds]) -> Behind:
        """Of a group that takes these places."""

    def empty(self, channels: Mapping[str, int]) -> dict[Place, Position]:
        """Delete every record. Returns where each partition begins now. A channel that was deleted meanwhile has none."""


class HasBroker(Protocol):
    """A stack."""

    @property
    def profile(self) -> Profile: ...

    @property
    def broker(self) -> Account: ...


class Broker(Protocol):
    """Each call opens a connection of its own. Raises OSError with a sentence, without its full stop, that names the broker."""

    title: str

    @property
    def positions(self) -> Positions: ...

    @staticmethod
    def load() -> None:
        """Import what it takes to read records, while nobody waits for it."""

    def connect(self, timeout_s: float) -> Connection: ...

    def read(
        self, starts: Mapping[Place, Position], ends: Mapping[Place, Position], *, silence_s: float = 10.0
    ) -> Iterator[Collection[Record]]:
        """The records of each place from its start up to its end, in batches, without any group noticing. Raises OSError also when no
        record comes for `silence_s`."""

    def publish(self, channel: str, key: bytes, value: bytes, *, planted_by: str, partition: int | None = None) -> tuple[int, Position]:
        """One record with the header PLANTED_BY. Without a `partition` the key decides. Returns the partition and the record's position."""

    def trim(self, place: Place, before: Position) -> Position:
        """Delete the records before this position. Returns where the partition begins now."""

    def move(self, group: str, place: Place, position: Position) -> None:
        """Let a group that has no running member go on at this position."""

    def partition_of(self, key: bytes, partitions: int) -> int:
        """The partition of a key, of so many."""

    def ensure(self, channel: str, partitions: int) -> None:
        """Make a channel unless it exists."""
