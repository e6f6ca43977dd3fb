"""The broker interface: publish, receive, acknowledge, hold. Each product has a module here and passes the same contract tests.

Channels have partitions. A partition is a sequence of records at increasing positions.
"""

import re
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Protocol, Self

import msgspec

Place = tuple[str, int]
"""A channel and one of its partitions."""

_POSITION = re.compile(r"[0-9]{1,20}(?:-[0-9]{1,20}){0,3}", re.ASCII)


class Position(msgspec.Struct, frozen=True, order=True):
    """The position of a record within its partition.

    Only the broker knows what the numbers mean and which position follows another. All other code compares positions of one partition and
    stores them as text: decimal numbers of up to 64 bits, joined by `-` and compared from the left.
    """

    numbers: tuple[int, ...]

    def __str__(self) -> str:
        return "-".join(map(str, self.numbers))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a position. Raises ValueError for a text that is not a position."""
        if not _POSITION.fullmatch(text):
            raise ValueError(f"not a position: {text[:80]!r}")
        return cls(tuple(map(int, text.split("-"))))


class BrokerUnavailable(Exception):
    """The broker cannot be reached or does not answer. Callers retry without limit."""


class RecordRefused(Exception):
    """The broker answers, but will never accept this record: it is too large, or its channel has an invalid name."""


class OutgoingRecord(msgspec.Struct, frozen=True):
    channel: str
    key: bytes
    value: bytes


class Record(msgspec.Struct, frozen=True):
    """A received record. Its position is `position`; after it, reading continues at `next`."""

    channel: str
    partition: int
    position: Position
    next: Position
    key: bytes | None
    value: bytes | None
    unreadable: str | None = None
    """Why the broker's client cannot read the record's contents; None when it can."""

    @property
    def place(self) -> Place:
        return self.channel, self.partition


class Publisher(Protocol):
    async def publish(self, records: Sequence[OutgoingRecord]) -> None:
        """Publish records, in their order for each key. Returns when the broker has acknowledged all of them.

        Raises BrokerUnavailable or RecordRefused. In that case any of the records may have been stored.
        """

    async def close(self) -> None: ...


OpenPublisher = Callable[[], Coroutine[None, None, Publisher]]
"""Opens a publisher. Raises BrokerUnavailable."""

StartPositions = Callable[[Mapping[Place, Position], Mapping[str, str]], Coroutine[None, None, Mapping[Place, Position]]]
"""Returns where to start reading, for a subscriber that stores its own positions. Its arguments are the end of each assigned partition and
the identity of each channel; a channel that was deleted and created again has a new identity. A partition that is missing from the result
is read from its beginning."""


class Receiver(Protocol):
    """One member of the consumer group of a subscriber."""

    async def receive(self, *, wait_ms: int, limit: int) -> list[Record]:
        """Returns up to `limit` records, in order within each partition, or an empty list after `wait_ms` milliseconds.

        Raises BrokerUnavailable, also when a channel was deleted and created again.
        """

    def acknowledge(self, positions: Mapping[Place, Position]) -> None:
        """Report that the subscriber has processed everything before these positions. The broker is informed with the next `receive`, or
        with `close` at the latest. A lost acknowledgement costs only redelivery."""

    def hold(self, places: Collection[Place]) -> None:
        """From the next `receive` on, return no records of these partitions, and resume all other partitions."""

    def is_assigned(self) -> bool:
        """Returns whether the receiver has its partitions, or knows that it gets none."""

    async def close(self) -> None: ...


class Broker(Protocol):
    async def check(self) -> None:
        """Raises BrokerUnavailable when the broker does not answer."""

    async def publisher(self) -> Publisher:
        """Open a publisher. Raises BrokerUnavailable."""

    async def receiver(self, subscriber: str, channels: Sequence[str], start: StartPositions | None = None) -> Receiver:
        """Join the subscriber's group and create missing channels. Without `start`, reading begins after the last acknowledged position.

        Raises BrokerUnavailable.
        """
