"""What a message says of itself: read alike from an outbox row, from the binlog and from a Kafka record."""

import struct
from decimal import Decimal
from functools import lru_cache

import msgspec

from labkit.evidence.topology import TOPICS

LONGEST_ID = 100  # characters; a number beyond 64 bits is left out where it is stored
MAGIC = b"a8c79db675e14c4cbf1eb77d0d6d0f00"  # begins a record that holds several messages


class _Headers(msgspec.Struct):
    id: str | None = msgspec.field(name="ID", default=None)
    key: str | None = msgspec.field(name="PARTITION_ID", default=None)
    event_type: str | None = msgspec.field(name="event-type", default=None)
    aggregate_type: str | None = msgspec.field(name="event-aggregate-type", default=None)
    aggregate_id: str | None = msgspec.field(name="event-aggregate-id", default=None)


class _UsualHeaders(msgspec.Struct, forbid_unknown_fields=True):
    """Those of a domain event, and no others."""

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


class Envelope(msgspec.Struct):
    """The value of a record: the headers travel inside it."""

    payload: str
    headers: msgspec.Raw


_headers = msgspec.json.Decoder(_Headers)
_usual_headers = msgspec.json.Decoder(_UsualHeaders)
_payload = msgspec.json.Decoder(_Payload)
envelope = msgspec.json.Decoder(Envelope)
# Nested too deep: the decoder goes as far as the stack allows.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class About(msgspec.Struct, frozen=True):
    """`message_id` is None for what has no usable headers. `destination` is that of an event whose headers are the usual ones, all of
    which are here (but for DATE, the second in which it was made): they need not be kept."""

    message_id: str | None = None
    key: str | None = None
    event_type: str | None = None
    event: str | None = None
    aggregate_type: str | None = None
    aggregate_id: int | None = None
    order_id: int | None = None
    customer_id: int | None = None
    total: str | None = None
    destination: str | None = None


def about(headers: bytes | msgspec.Raw, payload: bytes | str) -> About:
    """Never raises: what cannot be read is None."""
    h: _UsualHeaders | _Headers
    try:
        h = _usual_headers.decode(headers)
        destination = h.destination
    except _UNREADABLE:
        try:
            h, destination = _headers.decode(headers), None
        except _UNREADABLE:
            return About()
    order_id: int | None = None
    customer_id: int | None = None
    total = None
    try:
        p = _payload.decode(payload)
        order_id, customer_id = p.orderId, p.customerId
        if (details := p.orderDetails) is not None:
            if customer_id is None:
                customer_id = details.customerId
            if details.orderTotal is not None and details.orderTotal.amount is not None:
                total = money(str(details.orderTotal.amount))
    except _UNREADABLE:
        pass
    of = channel(h.aggregate_type or "")
    aggregate = _number(h.aggregate_id)
    if of == "Order":
        order_id = aggregate
    elif of == "Customer":
        customer_id = aggregate
    event = None if h.event_type is None else short_event(h.event_type)
    return About(h.id, h.key, h.event_type, event, h.aggregate_type, aggregate, order_id, customer_id, total, destination)


def of_record(value: bytes | None) -> list[tuple[msgspec.Raw, str]]:
    """(headers, payload) of each message in a record; none for a record that is not a message."""
    if value is None:
        return []
    try:
        texts = [value] if not value.startswith(MAGIC) else _frame(value)
        envelopes = [envelope.decode(text) for text in texts]
    except (*_UNREADABLE, IndexError, struct.error):
        return []
    return [(e.headers, e.payload) for e in envelopes]


def _frame(data: bytes) -> list[bytes]:
    """Several messages in one record, as Java's relay writes them when it batches: little-endian; a group is 16 bits of block length and
    16 bits of count, a text 32 bits of length and UTF-8. After four numbers come the headers, then for each message its headers, key and
    value."""

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
def channel(topic: str) -> str:
    """`io.….orders.domain.Order` → `Order`; a topic that is none of the application's keeps its whole name."""
    return topic.rpartition(".")[2] if topic in TOPICS else topic


@lru_cache(maxsize=10_000)
def short_event(event_type: str) -> str:
    """`io.….OrderCreatedEvent` → `OrderCreated`"""
    return event_type.rpartition(".")[2].removesuffix("Event")


@lru_cache(maxsize=10_000)
def money(text: str) -> str | None:
    """The text if it is an amount that fits DECIMAL(38,2)."""
    whole, _, part = text.removeprefix("-").partition(".")
    return text if 0 < len(whole) <= 36 and (whole + part).isdecimal() and text.isascii() else None


def _number(text: str | None) -> int | None:
    """An id as services write one; None for any other text."""
    if text is None or len(text) > LONGEST_ID or not (text.isascii() and text.removeprefix("-").isdecimal()):
        return None
    return int(text)
