"""Decode what a message says about itself, in the same way for an outbox row, the binlog and a record of the broker."""

import struct
from decimal import Decimal
from functools import lru_cache

import msgspec

from labkit.system.model import Profile

LONGEST_ID = 100  # characters; a number beyond 64 bits is dropped when it is stored
MAGIC = b"a8c79db675e14c4cbf1eb77d0d6d0f00"  # marks the start of a record that holds several messages


class _Headers(msgspec.Struct):
    id: str | None = msgspec.field(name="ID", default=None)
    key: str | None = msgspec.field(name="PARTITION_ID", default=None)
    event_type: str | None = msgspec.field(name="event-type", default=None)
    aggregate_type: str | None = msgspec.field(name="event-aggregate-type", default=None)
    aggregate_id: str | None = msgspec.field(name="event-aggregate-id", default=None)
    command_type: str | None = None
    command_saga_id: str | None = None
    reply_type: str | None = None
    reply_saga_id: str | None = msgspec.field(name="commandreply_saga_id", default=None)
    reply_to: str | None = msgspec.field(name="reply_to_message_id", default=None)


class _UsualHeaders(msgspec.Struct, forbid_unknown_fields=True):
    """Exactly the headers of a domain event; an additional header is rejected."""

    id: str = msgspec.field(name="ID")
    key: str = msgspec.field(name="PARTITION_ID")
    destination: str = msgspec.field(name="DESTINATION")
    date: str = msgspec.field(name="DATE")
    event_type: str = msgspec.field(name="event-type")
    aggregate_type: str = msgspec.field(name="event-aggregate-type")
    aggregate_id: str = msgspec.field(name="event-aggregate-id")


class _Money(msgspec.Struct):
    amount: Decimal | None = None


class _Details(msgspec.Struct):
    customerId: int | None = None
    orderTotal: _Money | None = None


class _Payload(msgspec.Struct):
    orderId: int | None = None
    customerId: int | None = None
    orderDetails: _Details | None = None
    orderTotal: _Money | None = None


class Envelope(msgspec.Struct):
    """The value of a record, which contains the message's headers."""

    payload: str
    headers: msgspec.Raw


_headers = msgspec.json.Decoder(_Headers)
_usual_headers = msgspec.json.Decoder(_UsualHeaders)
_payload = msgspec.json.Decoder(_Payload)
envelope = msgspec.json.Decoder(Envelope)
# RecursionError: the decoder recurses until the stack is full.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class About(msgspec.Struct, frozen=True):
    """The facts about one message. A field is None where it cannot be read.

    `message_id` is None without usable headers. `type` is the full name of the event, command or reply, and `event` its short name.
    `saga_id` and `reply_to`, the id of the answered command, belong to commands and replies. `destination` is set for an event with exactly
    the usual headers. These headers need not be stored, because all of them are in this object, except for DATE, the second at which the
    message was created.
    """

    message_id: str | None = None
    key: str | None = None
    type: str | None = None
    event: str | None = None
    aggregate_type: str | None = None
    aggregate_id: int | None = None
    order_id: int | None = None
    customer_id: int | None = None
    total: str | None = None
    saga_id: str | None = None
    reply_to: str | None = None
    destination: str | None = None


class Wire:
    """Reads the messages of a profile."""

    def __init__(self, profile: Profile) -> None:
        self._short = {channel.name: channel.short for channel in profile.channels}
        self._about = {channel.name: channel.about for channel in profile.channels}

    def channel(self, topic: str) -> str:
        """Return the short name of a topic: `io.….orders.domain.Order` → `Order`. A topic outside the profile keeps its full name."""
        return self._short.get(topic, topic)

    def about(self, headers: bytes | msgspec.Raw, payload: bytes | str) -> About:
        """Return the facts about a message. Never raises: what cannot be read is None."""
        try:
            usual = _usual_headers.decode(headers)
        except _UNREADABLE:
            return self._unusual(headers, payload)
        order_id, customer_id, total = _named_in(payload)
        aggregate = _number(usual.aggregate_id)
        match self._about.get(usual.aggregate_type):
            case "order":
                order_id = aggregate
            case "customer":
                customer_id = aggregate
        return About(
            *(usual.id, usual.key, usual.event_type, short_type(usual.event_type), usual.aggregate_type, aggregate),
            *(order_id, customer_id, total, None, None, usual.destination),
        )

    def _unusual(self, headers: bytes | msgspec.Raw, payload: bytes | str) -> About:
        """Handle a command, a reply, or an event with other than the usual headers."""
        try:
            h = _headers.decode(headers)
        except _UNREADABLE:
            return About()
        order_id, customer_id, total = _named_in(payload)
        aggregate = _number(h.aggregate_id)
        match self._about.get(h.aggregate_type or ""):
            case "order":
                order_id = aggregate
            case "customer":
                customer_id = aggregate
        full = h.event_type or h.reply_type or h.command_type
        saga_id = h.reply_saga_id if h.reply_type is not None else h.command_saga_id
        event = None if full is None else short_type(full)
        return About(h.id, h.key, full, event, h.aggregate_type, aggregate, order_id, customer_id, total, saga_id, h.reply_to)


def _named_in(payload: bytes | str) -> tuple[int | None, int | None, str | None]:
    """Return the order, the customer and the total that a payload names."""
    try:
        p = _payload.decode(payload)
    except _UNREADABLE:
        return None, None, None
    customer_id, money_of = p.customerId, p.orderTotal
    if (details := p.orderDetails) is not None:
        customer_id = details.customerId if customer_id is None else customer_id
        money_of = details.orderTotal or money_of
    total = money(str(money_of.amount)) if money_of is not None and money_of.amount is not None else None
    return p.orderId, customer_id, total


def order_of(payload: bytes | str) -> int | None:
    """Return the order that a JSON document names."""
    return _named_in(payload)[0]


def of_record(value: bytes | None) -> list[tuple[msgspec.Raw, str]]:
    """Return (headers, payload) for each message of a record; an empty list if the record is not a message."""
    if value is None:
        return []
    try:
        texts = [value] if not value.startswith(MAGIC) else _frame(value)
        envelopes = [envelope.decode(text) for text in texts]
    except (*_UNREADABLE, IndexError, struct.error):
        return []
    return [(e.headers, e.payload) for e in envelopes]


def _frame(data: bytes) -> list[bytes]:
    """Split a record with several messages, in the format of the Java relay's batches.

    All numbers are little-endian. A group consists of 16 bits of block length and 16 bits of count, a text of 32 bits of length and UTF-8.
    After four numbers come the common headers, then the headers, key and value of each message.
    """

    def text(at: int) -> tuple[bytes, int]:
        end = at + 4 + struct.unpack_from("<I", data, at)[0]
        if end > len(data):
            raise IndexError("a text ends beyond the record")
        return data[at + 4 : end], end

    def skip_pairs(at: int) -> int:
        count = struct.unpack_from("<H", data, at + 2)[0]
        at += 4
        for _ in range(2 * count):
            _, at = text(at)
        return at

    at = skip_pairs(len(MAGIC) + 8)
    count = struct.unpack_from("<H", data, at + 2)[0]
    at += 4
    values = []
    for _ in range(count):
        _, at = text(skip_pairs(at))
        value, at = text(at)
        values.append(value)
    return values


@lru_cache(maxsize=10_000)
def short_type(full: str) -> str:
    """Shorten a type: `io.….SomethingHappenedEvent` → `SomethingHappened`, `io.….DoSomethingCommand` → `DoSomething`."""
    return full.rpartition(".")[2].removesuffix("Event").removesuffix("Command")


@lru_cache(maxsize=10_000)
def money(text: str) -> str | None:
    """Return the text if it is an amount that fits DECIMAL(38,2), else None."""
    units, _, cents = text.removeprefix("-").partition(".")
    return text if 0 < len(units) <= 36 and (units + cents).isdecimal() and text.isascii() else None


def _number(text: str | None) -> int | None:
    """Return an id in the services' notation as a number; None for any other text."""
    if text is None or len(text) > LONGEST_ID or not (text.isascii() and text.removeprefix("-").isdecimal()):
        return None
    return int(text)
