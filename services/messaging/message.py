"""A message: id, channel, headers and payload, and its form in the outbox and on the broker.

The broker's record is `{"payload": "<text>", "headers": {"ID": …}}` with key PARTITION_ID: the headers travel inside the value.
"""

import time
from collections.abc import Mapping

import msgspec

from services.messaging.nesting import MAX_DEPTH, is_too_deep

ID = "ID"
PARTITION_ID = "PARTITION_ID"
DESTINATION = "DESTINATION"
DATE = "DATE"

MAX_ID_LENGTH = 255  # the width of the id columns of outbox and inbox

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class UndecodableMessage(Exception):
    """A record is not a message, or not the event that its type declares. Retrying cannot help."""


class Message(msgspec.Struct, frozen=True):
    """One message. `headers` holds at least ID, PARTITION_ID, DESTINATION and DATE, all as text; `payload` is JSON text."""

    channel: str
    headers: Mapping[str, str]
    payload: str

    @property
    def id(self) -> str:
        return self.headers[ID]


class _Envelope(msgspec.Struct):
    """The value of a broker record."""

    payload: str
    headers: dict[str, str]


_decode = msgspec.json.Decoder(_Envelope).decode
_encode = msgspec.json.Encoder().encode


def storable(text: str) -> str:
    """Returns the text with each lone surrogate replaced by a question mark; surrogates cannot be written as UTF-8."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def http_date(seconds: float) -> str:
    """RFC 1123 date in GMT as java.time writes it: `Wed, 1 Apr 2026 07:26:10 GMT`, without a leading zero in the day."""
    t = time.gmtime(seconds)
    return f"{_DAYS[t.tm_wday]}, {t.tm_mday} {_MONTHS[t.tm_mon - 1]} {t.tm_year:04} {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"


def new_message(message_id: str, channel: str, partition_id: str, headers: Mapping[str, str], payload: str, *, now: float) -> Message:
    """A message to send. `now` is in seconds since 1970."""
    common = {ID: message_id, PARTITION_ID: partition_id, DESTINATION: channel, DATE: http_date(now)}
    return Message(channel, {**headers, **common}, payload)


def encode_headers(headers: Mapping[str, str]) -> str:
    return _encode(headers).decode()


def record_value(headers_json: str, payload: str) -> bytes:
    """The broker record of an outbox row. The headers are copied unchanged."""
    return b'{"payload":' + _encode(payload) + b',"headers":' + headers_json.encode() + b"}"


def decode_value(channel: str, value: bytes) -> Message:
    """Decode one `{"payload", "headers"}` value. Raises UndecodableMessage with the reason."""
    if is_too_deep(value):
        raise UndecodableMessage(f"the record is not a message: it is nested more than {MAX_DEPTH} deep")
    try:
        envelope = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UndecodableMessage(f"the record is not a message: {error}") from error
    message_id = envelope.headers.get(ID, "")
    # A lone surrogate is valid JSON, but no store accepts it.
    if not 0 < len(message_id) <= MAX_ID_LENGTH or storable(message_id) != message_id:
        raise UndecodableMessage("the message has no usable ID header")
    return Message(channel, envelope.headers, envelope.payload)
