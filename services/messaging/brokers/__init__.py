"""What messaging needs of a broker: publish, receive, acknowledge, hold. Each product has a module here and passes the same contract tests.

Channels have partitions; a partition is a sequence of records at rising positions.
"""

import re
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Protocol, Self

import msgspec

Place = tuple[str, int]
"""A channel and one of its partitions."""

_POSITION = re.compile(r"[0-9]{1,20}(?:-[0-9]{1,20}){0,3}", re.ASCII)


class Position(msgspec.Struct, frozen=True, order=True):
    """Where a record is within its partition.

    What the numbers mean is known to the broker alone, which also says which position follows another. Everybody else compares positions
    of one partition, and stores them as text: decimal numbers of up to 64 bits, joined by `-` and compared from the left.
    """

    numbers: tuple[int, ...]

    def __str__(self) -> str:
        return "-".join(map(str, self.numbers))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for a text that is not a position."""
        if not _POSITION.fullmatch(text):
            raise ValueError(f"not a position: {text[:80]!r}")
        return cls(tuple(map(int, text.split("-"))))


class BrokerUnavailable(Exception):
    """The broker cannot be reached or does not answer. Worth trying again for ever."""


class RecordRefused(Exception):
    """The broker answers, and will never take this record: it is too large, or its channel has an impossible name."""


class OutgoingRecord(msgspec.Struct, frozen=True):
    channel: str
    key: bytes
    value: bytes


class Record(msgspec.Struct, frozen=True):
    """A record as received, at its `position`; whoever has taken it goes on at `next`."""

    channel: str
    partition: int
    position: Position
    next: Position
    key: bytes | None
    value: bytes | None
    unreadable: str | None = None
    """Why the broker's client cannot give the record's contents."""

    @property
    def place(self) -> Place:
        return self.channel, self.partition


class Publisher(Protocol):
    async def publish(self, records: Sequence[OutgoingRecord]) -> None:
        """Return when the broker has acknowledged all of them, in their order for each key.

        Raises BrokerUnavailable or RecordRefused; each of the records may then have been stored or not.
        """

    async def close(self) -> None: ...


OpenPublisher = Callable[[], Coroutine[None, None, Publisher]]
"""Raises BrokerUnavailable."""

StartPositions = Callable[[Mapping[Place, Position], Mapping[str, str]], Coroutine[None, None, Mapping[Place, Position]]]
"""Where to start reading, for a subscriber that stores its own positions. Its arguments: the assigned places, each with the end of its
records, and the identity of each channel: a channel that was deleted and created again has another one. A place that is missing from its
answer is read from its beginning."""


class Receiver(Protocol):
    """One member of the group that is named after a subscriber."""

    async def receive(self, *, wait_ms: int, limit: int) -> list[Record]:
        """Up to `limit` records, in order within each partition; an empty list after `wait_ms`.

        Raises BrokerUnavailable, also when a channel was deleted and created again.
        """

    def acknowledge(self, positions: Mapping[Place, Position]) -> None:
        """The subscriber needs nothing before these positions any more. The broker learns it with the next `receive`, at the latest by
        `close`; losing it costs only redelivery."""

    def hold(self, places: Collection[Place]) -> None:
        """From the next `receive` on, return no records of these places, and resume those that were on hold before."""

    def is_assigned(self) -> bool:
        """Does it have its partitions, or does it know that there are none for it?"""

    async def close(self) -> None: ...


class Broker(Protocol):
    async def check(self) -> None:
        """Raises BrokerUnavailable when the broker does not answer."""

    async def publisher(self) -> Publisher:
        """Raises BrokerUnavailable."""

    async def receiver(self, subscriber: str, channels: Sequence[str], start: StartPositions | None = None) -> Receiver:
        """Join the subscriber's group; missing channels are created. Without `start`, begin after what was acknowledged last.

        Raises BrokerUnavailable.
        """
