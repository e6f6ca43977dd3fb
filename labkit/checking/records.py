"""The newest records in the broker. Reading them does not affect any consumer group."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from labkit import brokers
from labkit.brokers.model import Bounds, Place, Position, Record
from labkit.checking.checks import NotJudged
from labkit.stack.model import Stack

ANSWER_S = 5.0


@dataclass(frozen=True)
class Published:
    """A message in the broker. `order_id` is the order that it is about, if it names one. `position` is in readable form."""

    channel: str
    partition: int
    position: str
    event: str
    order_id: int | None
    message_id: str | None

    @property
    def place(self) -> str:
        return f"{self.channel}, partition {self.partition}, {self.position}"


def bounds(stack: Stack) -> dict[Place, Bounds]:
    """Return the start and the end of each partition of the application's channels. Raises NotJudged."""
    try:
        with brokers.of(stack).connect(ANSWER_S) as broker:
            return broker.bounds({name: count for name, count in broker.channels().items() if name in stack.profile.own_channels})
    except (OSError, ValueError) as error:
        raise _no_answer(stack, error) from error


def ends(stack: Stack) -> dict[Place, Position]:
    """Return the end of each partition. Raises NotJudged."""
    return {place: of.end for place, of in bounds(stack).items()}


def starts(stack: Stack) -> dict[Place, Position]:
    """Return the start of each partition. It moves: a reset deletes records, and their positions are not reused. Raises NotJudged."""
    return {place: of.start for place, of in bounds(stack).items()}


def since(stack: Stack, before: Mapping[Place, Position]) -> list[Published]:
    """Return all records after these ends, up to the present ends. Raises NotJudged."""
    now = bounds(stack)
    first = {place: before.get(place, of.start) for place, of in now.items()}
    try:
        batches = list(brokers.of(stack).read(first, {place: of.end for place, of in now.items()}, silence_s=ANSWER_S))
    except OSError as error:
        raise _no_answer(stack, error) from error
    return [_published(stack, record) for batch in batches for record in batch]


def _no_answer(stack: Stack, error: Exception) -> NotJudged:
    return NotJudged(f"{brokers.of(stack).title} does not answer: {error}.", next_step="labkit status")


def _published(stack: Stack, record: Record) -> Published:
    positions = brokers.positions(stack.profile)
    place = stack.profile.short(record.channel), record.partition, f"{positions.noun} {positions.written(record.position)}"
    try:
        data = json.loads(record.value or b"")
        headers, payload = data["headers"], json.loads(data["payload"])
        event = str(headers.get("event-type", "")).rpartition(".")[2].removesuffix("Event")
        order = payload.get("orderId") or (headers["event-aggregate-id"] if event.startswith("Order") else None)
        return Published(*place, event, None if order is None else int(order), headers.get("ID"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Published(*place, "a record that is not a message", None, None)
