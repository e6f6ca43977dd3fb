"""What messaging needs of a broker. Channels have partitions; a partition is a sequence of records at rising positions."""

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Protocol

import msgspec

Place = tuple[str, int]
"""A channel and one of its partitions."""


class BrokerUnavailable(Exception):
    """The broker cannot be reached or does not answer. Worth trying again for ever."""


class RecordRefused(Exception):
    """The broker answers, and will never take this record: too large, or a channel name that cannot be."""


class OutgoingRecord(msgspec.Struct, frozen=True):
    channel: str
    key: bytes
    value: bytes


class Record(msgspec.Struct, frozen=True):
    """A record as received. `position` is that of this record; the next one to read is `position + 1`."""

    channel: str
    partition: int
    position: int
    key: bytes | None
    value: bytes | None
    unreadable: str | None = None
    """Why the broker's client cannot give what it holds."""

    @property
    def place(self) -> Place:
        return self.channel, self.partition


class Publisher(Protocol):
    async def publish(self, records: Sequence[OutgoingRecord]) -> None:
        """Return when the broker has acknowledged all of them, in their order for each key.

        Raises BrokerUnavailable or RecordRefused; any of them may then have been stored or not.
        """

    async def close(self) -> None: ...


StartPositions = Callable[[Mapping[Place, int], Mapping[str, str]], Coroutine[None, None, Mapping[Place, int]]]
"""Where to start reading, for a subscriber that keeps its own positions. It is given the places that it got, each with its end
position, and what each channel is identified by: a channel that is made anew under its old name has another identity. A place that it
leaves out of its answer is read from its beginning."""


class Receiver(Protocol):
    """One member of the group that is named after a subscriber."""

    async def receive(self, *, wait_ms: int, limit: int) -> list[Record]:
        """Up to `limit` records, in order within each partition; an empty list after `wait_ms`. Raises BrokerUnavailable."""

    def acknowledge(self, positions: Mapping[Place, int]) -> None:
        """The subscriber needs nothing before these positions any more. Told to the broker with the next `receive`, at the latest by
        `close`; losing it costs only redelivery."""

    def hold(self, places: Collection[Place]) -> None:
        """From the next `receive` on, give nothing more of these, and go on with those that it held before."""

    def is_assigned(self) -> bool:
        """Does it have its partitions, or does it know that there are none for it?"""

    async def close(self) -> None: ...


class Broker(Protocol):
    async def check(self) -> None:
        """Raises BrokerUnavailable when the broker does not answer."""

    async def publisher(self) -> Publisher:
        """Raises BrokerUnavailable."""

    async def receiver(self, subscriber: str, channels: Sequence[str], start: StartPositions | None = None) -> Receiver:
        """Join the subscriber's group; channels that do not exist are made. Raises BrokerUnavailable."""
