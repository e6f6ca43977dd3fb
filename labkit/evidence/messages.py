"""What a message says of itself: read alike from an outbox row, from the binlog and from a record of the broker."""

import struct
from decimal import Decimal
from functools import lru_cache

import msgspec

from labkit.system.model import Profile

LONGEST_ID = 100  # characters; a number beyond 64 bits is left out where it is stored
MAGIC = b"a8c79db675e14c4cbf1eb77d0d6d0f00"  # begins a record that holds several messages


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
    orderTotal: _Money | None = None


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
    """`message_id` is None for what has no usable headers. `type` is the full name of an event, a command or a reply, and `event` what
    people call it. `saga_id` and `reply_to`, the id of the command that is answered, are those of commands and replies. `destination` is
    that of an event whose headers are the usual ones, all of which are here (but for DATE, the second in which it was made): they need not
    be kept."""

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
    """Reads the messages of a system."""

    def __init__(self, profile: Profile) -> None:
        self._short = {channel.name: channel.short for channel in profile.channels}
        self._about = {channel.name: channel.about for channel in profile.channels}

    def channel(self, topic: str) -> str:
        """`io.….orders.domain.Order` → `Order`; a topic that is none of the system's keeps its whole name."""
        return self._short.get(topic, topic)

    def about(self, headers: bytes | msgspec.Raw, payload: bytes | str) -> About:
        """Never raises: what cannot be read is None."""
        try:
            usual = _usual_headers.decode(headers)
        except _UNREADABLE:
            return self._unusual(headers, payload)
        order_id, customer_id, total = _told(payload)
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
        """A command, a reply, or an event with other headers than the usual ones."""
        try:
            h = _headers.decode(headers)
        except _UNREADABLE:
            return About()
        order_id, customer_id, total = _told(payload)
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


def _told(payload: bytes | str) -> tuple[int | None, int | None, str | None]:
    """The order, the customer and the total that a payload names."""
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
    """The order that a JSON document names."""
    return _told(payload)[0]


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
def short_type(full: str) -> str:
    """`io.….SomethingHappenedEvent` → `SomethingHappened`, `io.….DoSomethingCommand` → `DoSomething`"""
    return full.rpartition(".")[2].removesuffix("Event").removesuffix("Command")


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
