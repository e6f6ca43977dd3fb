"""A test subscriber: one event, one handler, and a table that shows each effect."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

import msgspec

from services.messaging.brokers import OutgoingRecord
from services.messaging.database import Database, Transaction
from services.messaging.delivery import Delivery, decode
from services.messaging.events import DomainEvent, EventHandlers
from services.messaging.ids import IdGenerator
from tests.messaging.received import received
from tests.messaging.servers import Schema

TABLE = "CREATE TABLE effect (number BIGINT, message_order BIGINT AUTO_INCREMENT PRIMARY KEY)"


class Payload(msgspec.Struct):
    number: int


class Counted(DomainEvent, frozen=True):
    """Its channel belongs to the test."""

    event_type = "Counted"
    payload_type = Payload
    number: int

    @property
    def aggregate_id(self) -> int:
        return 1

    def to_payload(self) -> Payload:
        return Payload(self.number)

    @classmethod
    def from_payload(cls, aggregate_id: int, payload: Any) -> Self:
        return cls(payload.number)


def message(channel: str, number: int, message_id: str | None = None) -> bytes:
    names = {"event-aggregate-type": channel, "event-type": "Counted", "event-aggregate-id": "1", "ID": message_id or f"m-{number}"}
    return json.dumps({"payload": f'{{"number":{number}}}', "headers": names}).encode()


def outgoing(channel: str, numbers: Sequence[int], key: str = "1") -> list[OutgoingRecord]:
    return [OutgoingRecord(channel, key.encode(), message(channel, number)) for number in numbers]


def handlers_of(channel: str, handler: Callable[[Counted, Transaction], Awaitable[None]]) -> EventHandlers:
    class OfChannel(Counted, frozen=True):
        aggregate_type = channel

    handlers = EventHandlers()
    handlers.handles(OfChannel)(handler)
    return handlers


async def note(event: Counted, tx: Transaction) -> None:
    tx.write("INSERT INTO effect (number) VALUES (%s)", event.number)


def deliveries(handlers: EventHandlers, channel: str, *values: bytes, first: int = 0) -> list[Delivery]:
    return [d for offset, value in enumerate(values, first) for d in decode(received(channel, 0, offset, b"1", value), handlers)]


def database(schema: Schema, address: int = 7) -> Database:
    return Database(schema.settings, IdGenerator(address))


def effects(schema: Schema) -> list[int]:
    """The effects in commit order; within a transaction, in statement order."""
    return [number for (number,) in schema.rows("SELECT number FROM effect ORDER BY message_order")]
