"""Dead letters: a message that was given up is stored with its cause and announced on the channel `<subscriber>.dead-letter`.

https://www.enterpriseintegrationpatterns.com/patterns/messaging/DeadLetterChannel.html
"""

import base64
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from services.messaging.database import Transaction
    from services.messaging.delivery import Delivery

MAX_CAUSE = 16_000
STORED = 1_000_000  # stored bytes of a key or value: the database limits packets; the broker hardly limits compressed records
ANNOUNCED = 10_000  # announced bytes of a key or value: a broker refuses records of more than 1 MB
AT_ONCE = 2_000_000  # bytes sent to the database in one packet


def dead_letter_channel(subscriber: str) -> str:
    return f"{subscriber}.dead-letter"


class DeadLetter(msgspec.Struct, frozen=True, rename="camel"):
    """The payload of a record on a dead-letter channel. Key and value are in base64; the sizes are those of the original record."""

    subscriber: str
    channel: str
    partition: int
    position: str
    message_id: str | None
    cause: str
    key: str | None
    value: str | None
    key_size: int | None
    value_size: int | None
    cut: str | None
    """Describes the missing parts in words; None when the record is complete."""


def last_line(cause: str) -> str:
    """The last line of a traceback, which names the exception."""
    lines = cause.strip().splitlines()
    return lines[-1].strip() if lines else "no cause was given"


def beginning(data: bytes | None) -> bytes | None:
    return None if data is None else data[:STORED]


def stored_cause(delivery: "Delivery", cause: str) -> str:
    """The cause in its stored form. Its first line says so when the record is stored only in part."""
    text = cause[-MAX_CAUSE:].strip() or last_line("")
    cut = _cut(delivery, STORED)
    return f"(Kept in part: {cut}.)\n{text}" if cut else text


def _cut(delivery: "Delivery", most: int) -> str | None:
    parts = (("key", delivery.record.key), ("value", delivery.record.value))
    said = [f"the {name} has {len(data):,} bytes, these are the first {most:,}" for name, data in parts if data and len(data) > most]
    return "; ".join(said) or None


def dead_letter(subscriber: str, delivery: "Delivery", cause: str) -> DeadLetter:
    record = delivery.record
    return DeadLetter(
        subscriber=subscriber,
        channel=record.channel,
        partition=record.partition,
        position=str(record.position),
        message_id=delivery.message.id if delivery.message else None,
        cause=cause[-MAX_CAUSE:],
        key=_announced(record.key),
        value=_announced(record.value),
        key_size=None if record.key is None else len(record.key),
        value_size=None if record.value is None else len(record.value),
        cut=_cut(delivery, ANNOUNCED),
    )


def _announced(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data[:ANNOUNCED]).decode()


async def park(tx: "Transaction", subscriber: str, parked: "Sequence[tuple[Delivery, str]]") -> bool:
    """Write the dead-letter rows and, once for each message, the outbox row that announces it.

    Returns False when some of several messages were parked before; they must then be parked one by one.
    """
    new = 0
    for some in _in_packets(parked):
        values: list[object] = []
        for delivery, cause in some:
            record, message = delivery.record, delivery.message
            values += [subscriber, record.channel, record.partition, str(record.position), delivery.index, message.id if message else None]
            values += [stored_cause(delivery, cause), _hex(record.key), _hex(record.value), time.time_ns() // 1_000_000]
        rows = ", ".join(["(%s, %s, %s, %s, %s, %s, %s, UNHEX(%s), UNHEX(%s), %s)"] * len(some))
        new += await tx.run(
            "INSERT IGNORE INTO dead_letter (subscriber, channel, channel_partition, position, message_index, message_id, cause,"
            f" record_key, record_value, creation_time) VALUES {rows}",
            *values,
        )
    if new < len(parked):
        return len(parked) == 1
    size = 0
    for delivery, cause in parked:
        partition_id = f"{delivery.record.channel}-{delivery.record.partition}"
        payload = msgspec.json.encode(dead_letter(subscriber, delivery, cause)).decode()
        tx.publish_message(dead_letter_channel(subscriber), partition_id, {"dead-letter-cause": last_line(cause)[:500]}, payload)
        size += len(payload)
        if size > AT_ONCE:
            await tx.flush()
            size = 0
    return True


def _in_packets(parked: "Sequence[tuple[Delivery, str]]") -> "list[list[tuple[Delivery, str]]]":
    packets: list[list[tuple[Delivery, str]]] = []
    size = AT_ONCE
    for delivery, cause in parked:
        more = 2 * len(beginning(delivery.record.key) or b"") + 2 * len(beginning(delivery.record.value) or b"") + len(cause)
        if size + more > AT_ONCE:
            packets.append([])
            size = 0
        packets[-1].append((delivery, cause))
        size += more
    return packets


def _hex(data: bytes | None) -> str | None:
    return None if data is None else data[:STORED].hex()
