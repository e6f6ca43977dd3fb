"""Bad records from other programs: valid records with one or two changed places, each place with each kind of wrong value, and frames and
bytes that are invalid. Seeded, so that a run can be repeated.

Each kind of wrong value is a line of WRONG. The changed places are fields of an event: see EVENTS. JSON is assembled from tokens, because a
JSON library would refuse most of these values.
"""

import json
import random
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from services.messaging.multi_message import MAGIC
from services.messaging.nesting import MAX_DEPTH
from tests.e2e.shop import CUSTOMER_CHANNEL, ORDER_CHANNEL

FAR = 5_000_000_000_000  # no aggregate has an id from here on
DIGITS = ["1", "1_0", " 1 ", "١٢", "+1", "-1", "007", "1e2", "NaN", "9" * 30, str(2**63), "１２", "1\n"]
DEPTHS = (MAX_DEPTH - 2, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 900, 950, 980, 1000, 1100, 5_000)


@dataclass
class Bad:
    """`said` describes what is wrong with it."""

    topic: str
    value: bytes | None
    key: bytes | None = b"1"
    said: str = ""
    headers: list[tuple[str, str | bytes | None]] = field(default_factory=list)


def deep(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * depth + closing * depth


def text(value: str) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


# Each makes a JSON token, or None for an absent field.
WRONG: dict[str, Callable[[random.Random], bytes | None]] = {
    "absent": lambda r: None,
    "null": lambda r: b"null",
    "true": lambda r: b"true",
    "zero": lambda r: b"0",
    "negative": lambda r: b"-1000",
    "a fraction": lambda r: b"1.5",
    "three decimals": lambda r: b"12.345",
    "a whole number as a fraction": lambda r: b"1.0",
    "a power": lambda r: r.choice([b"1e2", b"1e400", b"1e-400", b"1e999999999999", b"-0.0"]),
    "around 64 bits": lambda r: str(r.choice([2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), -(2**63) - 1])).encode(),
    "30 digits": lambda r: b"9" * 30,
    "5,000 digits": lambda r: b"9" * 5_000,
    "40 digits and two": lambda r: b"9" * 40 + b".99",
    "not a number": lambda r: r.choice([b"NaN", b"Infinity", b"-Infinity", b"0x10", b"1_0", b"+1", b"01"]),
    "digits as a text": lambda r: text(r.choice(DIGITS)),
    "an empty text": lambda r: b'""',
    "a blank": lambda r: b'" "',
    "a text": lambda r: text("".join(r.choices("aAäß\u0000\u001b[2J😀'\"\\`;%", k=r.randrange(1, 20)))),
    "a text of 256": lambda r: text("x" * 256),
    "a text of 300 kB": lambda r: text(r.choice("xé😀'\\\u0001") * (300_000 // 6)),
    "half a pair": lambda r: r.choice([b'"\\ud800"', b'"a\\udfff"', b'"\\ud83d x"']),
    "not UTF-8": lambda r: b'"' + r.choice([b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"caf\xe9"]) + b'"',
    "a bare control character": lambda r: b'"a\x00b\x1b"',
    "an empty list": lambda r: b"[]",
    "an empty object": lambda r: b"{}",
    "a list of itself": lambda r: b"[1,[2]]",
    "an object of texts": lambda r: b'{"amount":{"amount":"1"}}',
    "deep lists": lambda r: deep(r.choice(DEPTHS)),
    "deep objects": lambda r: b'{"a":' * (depth := r.choice(DEPTHS)) + b"1" + b"}" * depth,
    "deep and not closed": lambda r: b"[" * r.choice(DEPTHS),
    "brackets in a text": lambda r: text("[" * r.choice(DEPTHS)),
    "wide": lambda r: b"[" + b"{}," * 3_000 + b"{}]",
    "another number": lambda r: str(FAR + r.randrange(10**6)).encode(),
}

Object = dict[str, "bytes | Object"]


def _order(r: random.Random) -> Object:
    return {"orderDetails": {"customerId": str(FAR + r.randrange(50)).encode(), "orderTotal": {"amount": b"12.34"}}}


def _customer(r: random.Random) -> Object:
    return {"name": text("Ada"), "creditLimit": {"amount": b"15.00"}}


def _answer(r: random.Random) -> Object:
    return {"customerId": str(FAR + r.randrange(50)).encode(), "orderId": str(FAR + r.randrange(50)).encode()}


def _nothing(r: random.Random) -> Object:
    return {}


EVENTS: list[tuple[str, str, Callable[[random.Random], Object]]] = [
    *((ORDER_CHANNEL, f"Order{what}Event", _order) for what in ("Created", "Approved", "Rejected", "Cancelled")),
    (ORDER_CHANNEL, "OrderForgottenEvent", _nothing),
    (CUSTOMER_CHANNEL, "CustomerCreatedEvent", _customer),
    *((CUSTOMER_CHANNEL, f"Customer{what}Event", _answer) for what in ("CreditReserved", "CreditReservationFailed", "ValidationFailed")),
    (CUSTOMER_CHANNEL, "CustomerForgottenEvent", _nothing),
]


def _places(at: Object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in at.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from _places(value, (*path, name))


def _object(fields: Object, wrong: dict[tuple[str, ...], list[bytes | None]], path: tuple[str, ...] = ()) -> bytes:
    """`wrong` holds the tokens to write at a place; several tokens repeat the field."""
    parts = []
    for name, value in fields.items():
        place = (*path, name)
        tokens = wrong.get(place) or [_object(value, wrong, place) if isinstance(value, dict) else value]
        parts += [text(name) + b":" + token for token in tokens if token is not None]
    return b"{" + b",".join(parts) + b"}"


def _changed(r: random.Random, fields: Object, said: list[str], extra: str) -> bytes:
    """The object with one field changed, or with an unknown field added."""
    place = r.choice([*_places(fields), (extra,)])
    kind = r.choice(list(WRONG))
    token = WRONG[kind](r)
    if all(isinstance(value, bytes) and value.startswith(b'"') for value in fields.values()) and token and r.random() < 0.6:
        kind, token = f"{kind}, as a text", text(token.decode("latin-1").strip('"'))  # where all values are texts, as in headers
    said.append(f"{'.'.join(place)}: {kind}")
    if place == (extra,):
        return _object({**fields, extra: token}, {}) if token is not None else _object(fields, {})
    twice = r.random() < 0.15
    right: bytes | Object = fields
    for name in place:
        assert isinstance(right, dict)
        right = right[name]
    again = [right if isinstance(right, bytes) else _object(right, {})] if twice else []
    if twice:
        said[-1] += ", and there twice"
    tokens = [token, *again]
    r.shuffle(tokens)
    return _object(fields, {place: tokens})


def message(r: random.Random, number: int, topic: str, event: str, payload: Object, *, headers: bool, body: bool) -> tuple[bytes, str]:
    """A record's value with something wrong in its headers, its payload, both, or neither."""
    said: list[str] = []
    inner = _changed(r, payload, said, "unknown") if body else _object(payload, {})
    package = topic.rpartition(".")[0]
    h: Object = {
        "PARTITION_ID": b'"1"',
        "event-aggregate-type": text(topic),
        "DATE": b'"Wed, 1 Apr 2026 07:26:10 GMT"',
        "event-aggregate-id": text(str(FAR + number)),
        "event-type": text(f"{package}.{event}"),
        "DESTINATION": text(topic),
        "ID": text(f"fuzz-{r.randrange(1 << 30):x}-{number}"),
    }
    payload_token = json.dumps(inner.decode("latin-1")).encode() if r.random() < 0.5 else _as_text(inner)
    outer = _changed(r, h, said, "x-unknown") if headers else _object(h, {})
    parts = [b'"payload":' + payload_token, b'"headers":' + outer]
    r.shuffle(parts)
    return b"{" + b",".join(parts) + b"}", "; ".join([event, *said])


def _as_text(inner: bytes) -> bytes:
    """The bytes unchanged inside a JSON text, even if they are not UTF-8."""
    escaped = inner.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"' + re.sub(rb"[\x00-\x1f]", lambda found: b"\\u%04x" % found[0][0], escaped) + b'"'


def _frame(r: random.Random, values: list[bytes]) -> bytes:
    def one(b: bytes) -> bytes:
        return struct.pack("<I", len(b)) + b

    messages = b"".join(struct.pack("<HH", 0, 1) + one(b"h") + one(b"x") + one(b"key") + one(value) for value in values)
    return MAGIC + struct.pack("<HHHH", 0, 1, 1, 0) + struct.pack("<HH", 0, 0) + struct.pack("<HH", 0, len(values)) + messages


def _envelope(r: random.Random, value: bytes) -> tuple[bytes | None, str]:
    """The value, damaged as a unit."""
    kind = r.choice(["null", "empty", "cut off", "bytes", "wrapped", "flipped", "repeated", "deep"])
    made: dict[str, bytes | None] = {
        "null": None,
        "empty": b"",
        "cut off": value[: r.randrange(len(value))],
        "bytes": r.randbytes(r.randrange(200)),
        "wrapped": b"[" + value + b"]",
        "flipped": value[: (at := r.randrange(len(value)))] + bytes([r.randrange(256)]) + value[at + 1 :],
        "repeated": value + value,
        "deep": b'{"payload":"{}","x":' + deep(r.choice(DEPTHS)) + b',"headers":{"ID":"a"}}',
    }
    return made[kind], kind


def bad_records(seed: int, count: int, topic: str | None = None) -> Iterator[Bad]:
    """Includes some valid records, which must be processed."""
    r = random.Random(seed)
    events = [event for event in EVENTS if topic in (None, event[0])]
    for number in range(count):
        to, event, payload = r.choice(events)
        how = r.choices(["payload", "headers", "both", "right", "whole", "frame"], [40, 25, 10, 5, 12, 8])[0]
        value, said = message(r, number, to, event, payload(r), headers=how in ("headers", "both"), body=how in ("payload", "both"))
        whole: bytes | None = value
        if how == "whole":
            whole, said = _envelope(r, value)
        elif how == "frame":
            others = [message(r, number, to, event, payload(r), headers=False, body=r.random() < 0.5)[0] for _ in range(r.randrange(4))]
            frame = _frame(r, [value, *others] if r.random() < 0.9 else [])
            whole, said = (frame, "a frame") if r.random() < 0.6 else (frame[: r.randrange(33, len(frame) + 1)], "a frame that is cut off")
        key = r.choice([b"1", str(FAR + number).encode(), b"", None, r.randbytes(5), b"k" * 5_000, b"\xff\xfe", b"1 ", b"\x1b[2J"])
        headers: list[tuple[str, str | bytes | None]] = [("x", None), ("\u00e9", b"\xff")] if r.random() < 0.05 else []
        yield Bad(to, whole, key, said, headers)
