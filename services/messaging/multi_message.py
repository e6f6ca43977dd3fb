"""Read records that hold several messages in one binary frame.

The Java relay writes such records when its batch processing is on. labkit reads them and never writes them: current Java consumers cannot
read them. Little-endian; every text is a 32-bit length followed by UTF-8.
"""

import struct

from services.messaging.message import Message, UndecodableMessage, decode_value

MAGIC = b"a8c79db675e14c4cbf1eb77d0d6d0f00"
_FIXED = len(MAGIC) + 8  # four 16-bit numbers follow: block length, template, schema, version


def decode_record(channel: str, value: bytes | None) -> list[Message]:
    """The messages of one broker record, usually one. Raises UndecodableMessage with the reason."""
    if value is None:
        raise UndecodableMessage("the record has no value")
    if not value.startswith(MAGIC):
        return [decode_value(channel, value)]
    try:
        values = _values(value)
    except (struct.error, IndexError) as error:
        raise UndecodableMessage(f"the record's frame of several messages is broken: {error}") from error
    if not values:
        raise UndecodableMessage("the record's frame of several messages holds none")
    return [decode_value(channel, text) for text in values]


def _values(frame: bytes) -> list[bytes]:
    _, at = _pairs(frame, _FIXED)
    (count,) = struct.unpack_from("<H", frame, at + 2)
    at += 4
    values = []
    for _ in range(count):
        _, at = _pairs(frame, at)
        _, at = _text(frame, at)
        value, at = _text(frame, at)
        values.append(value)
    return values


def _pairs(frame: bytes, at: int) -> tuple[list[tuple[bytes, bytes]], int]:
    (count,) = struct.unpack_from("<H", frame, at + 2)
    at += 4
    pairs = []
    for _ in range(count):
        key, at = _text(frame, at)
        value, at = _text(frame, at)
        pairs.append((key, value))
    return pairs, at


def _text(frame: bytes, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from("<I", frame, at)
    end = at + 4 + length
    if end > len(frame):
        raise IndexError("a text ends beyond the record")
    return frame[at + 4 : end], end
