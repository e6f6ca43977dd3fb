"""Parking: a message that was given up is kept with its cause and told on the channel `<subscriber>.dead-letter`.

https://www.enterpriseintegrationpatterns.com/patterns/messaging/DeadLetterChannel.html
"""

import base64
import time
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from services.messaging.consumer import Delivery
    from services.messaging.database import Transaction

MAX_CAUSE = 16_000


def dead_letter_channel(subscriber: str) -> str:
    return f"{subscriber}.dead-letter"


class DeadLetter(msgspec.Struct, frozen=True, rename="camel"):
    """The payload of a record on a dead-letter channel; the record's bytes are in base64."""

    subscriber: str
    channel: str
    partition: int
    position: int
    message_id: str | None
    cause: str
    key: str | None
    value: str | None


def dead_letter(subscriber: str, delivery: "Delivery", cause: str) -> DeadLetter:
    record = delivery.record
    return DeadLetter(
        subscriber=subscriber,
        channel=record.channel,
        partition=record.partition,
        position=record.position,
        message_id=delivery.message.id if delivery.message else None,
        cause=cause[-MAX_CAUSE:],
        key=None if record.key is None else base64.b64encode(record.key).decode(),
        value=None if record.value is None else base64.b64encode(record.value).decode(),
    )


async def park(tx: "Transaction", subscriber: str, delivery: "Delivery", cause: str) -> None:
    """Write the dead-letter row and, once for each message, the outbox row that tells of it."""
    record = delivery.record
    parked = dead_letter(subscriber, delivery, cause)
    is_new = await tx.run(
        "INSERT IGNORE INTO dead_letter (subscriber, channel, channel_partition, position, message_index, message_id, cause,"
        " record_key, record_value, creation_time) VALUES (%s, %s, %s, %s, %s, %s, %s, UNHEX(%s), UNHEX(%s), %s)",
        *(subscriber, record.channel, record.partition, record.position, delivery.index, parked.message_id, parked.cause),
        *(_hex(record.key), _hex(record.value), time.time_ns() // 1_000_000),
    )
    if is_new:
        partition_id = f"{record.channel}-{record.partition}"
        payload = msgspec.json.encode(parked).decode()
        headers = {"dead-letter-cause": parked.cause.splitlines()[-1][:500]}
        tx.publish_message(dead_letter_channel(subscriber), partition_id, headers, payload)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
