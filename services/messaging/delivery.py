"""A delivery: one message as received from the broker, its decoded form, and the log lines about it."""

import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from services.log import concerning, log_many
from services.messaging.brokers import OutgoingRecord, Record
from services.messaging.events import AGGREGATE_ID, EVENT_TYPE, DomainEvent, EventHandlers, Reaction, decode_event
from services.messaging.message import ID, Message, UndecodableMessage, decode_value, storable
from services.messaging.multi_message import decode_record
from services.workshop.fault import About


class Delivery(msgspec.Struct, frozen=True):
    """One delivered message: its record, its decoded event, and the reaction to it (None when no handler exists for its type)."""

    record: Record
    index: int  # of the message in its record; above 0 only in records of several messages
    message: Message | None
    event: DomainEvent | None = None
    reaction: Reaction | None = None
    undecodable: str | None = None
    """Why this is not a message, or not the event that its type declares. It will be parked."""
    ends_record: bool = True


def decode(record: Record, handlers: EventHandlers) -> list[Delivery]:
    """Decode a record. Never raises: every record yields messages or deliveries to park."""
    try:
        if record.unreadable is not None:
            raise UndecodableMessage(record.unreadable)
        messages = decode_record(record.channel, record.value)
    except Exception as error:
        return [Delivery(record, 0, None, undecodable=_cause(error))]
    last = len(messages) - 1
    return [_delivery(record, index, message, handlers, index == last) for index, message in enumerate(messages)]


def _delivery(record: Record, index: int, message: Message, handlers: EventHandlers, ends_record: bool) -> Delivery:
    try:
        reaction = handlers.reaction_to(message)
        event = decode_event(message, reaction.event_class) if reaction else None
        return Delivery(record, index, message, event, reaction, ends_record=ends_record)
    except Exception as error:
        return Delivery(record, index, message, undecodable=_cause(error), ends_record=ends_record)


def _cause(error: Exception) -> str:
    """Returns a sentence for an expected error, otherwise the traceback."""
    return storable(str(error) if isinstance(error, UndecodableMessage) else "".join(traceback.format_exception(error)).rstrip())


def place_of(delivery: Delivery) -> dict[str, object]:
    record = delivery.record
    return {
        "message_id": delivery.message.id if delivery.message else None,
        "channel": record.channel,
        "partition": record.partition,
        "position": str(record.position),
    }


def about_delivery(subscriber: str, delivery: Delivery) -> About:
    record, message = delivery.record, delivery.message
    return About(
        message_id=message.id if message else None,
        event_type=message.headers.get(EVENT_TYPE, "") if message else "",
        key=None if record.key is None else record.key.decode(errors="replace"),
        subscriber=subscriber,
        channel=record.channel,
        partition=record.partition,
        position=str(record.position),
    )


def about_record(record: OutgoingRecord) -> About:
    headers = decode_value(record.channel, record.value).headers
    return About(headers[ID], headers.get(EVENT_TYPE, ""), record.key.decode(errors="replace"), channel=record.channel)


@contextmanager
def in_hand(delivery: Delivery) -> Iterator[None]:
    """Within the block, Python warnings are logged with the message and its handler."""
    handler = delivery.reaction.handler.__name__ if delivery.reaction else None
    token = concerning.set({"message_id": delivery.message.id if delivery.message else None, "handler": handler})
    try:
        yield
    finally:
        concerning.reset(token)


def log_handled(deliveries: Sequence[Delivery], begin: float) -> None:
    """Log one line for each message that was just committed. `begin` and `commit` are UTC seconds."""
    commit = time.time()
    lines = []
    for d in deliveries:
        if d.message is not None:
            headers, handler = d.message.headers, d.reaction.handler.__name__ if d.reaction else None
            event = headers.get(EVENT_TYPE, "").rpartition(".")[2]
            about = {"message_id": d.message.id, "aggregate_id": headers.get(AGGREGATE_ID), "type": event, "handler": handler}
            lines.append(("handled", {**about, "begin": round(begin, 6), "commit": round(commit, 6)}))
    log_many(lines)
