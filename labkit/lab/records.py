"""The newest records on Kafka, read without any group hearing of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from labkit.checking.checks import NotJudged
from labkit.evidence.kafka_positions import Positions
from labkit.stack.kafka_wire import EARLIEST, LATEST, Place
from labkit.stack.model import Stack

ANSWER_S = 5.0


@dataclass(frozen=True)
class Published:
    """A message on Kafka; `order_id` is the order that it is about, as far as it tells."""

    channel: str
    partition: int
    offset: int
    event: str
    order_id: int | None
    message_id: str | None

    @property
    def place(self) -> str:
        return f"{self.channel}, partition {self.partition}, offset {self.offset}"


def ends(stack: Stack) -> dict[Place, int]:
    """Where each partition of the application's topics ends. Raises NotJudged."""
    return _offsets(stack, LATEST)


def starts(stack: Stack) -> dict[Place, int]:
    """Where each of them begins: a reset deletes records, and their offsets do not come again. Raises NotJudged."""
    return _offsets(stack, EARLIEST)


def _offsets(stack: Stack, which: int) -> dict[Place, int]:
    try:
        with Positions(stack.kafka, timeout=ANSWER_S) as broker:
            return broker.offsets([topic for topic in broker.topics() if topic.name in stack.profile.own_channels], which)
    except (OSError, ValueError) as error:
        raise NotJudged(f"Kafka does not answer: {error}.", next_step="labkit status") from error


def since(stack: Stack, before: Mapping[Place, int]) -> list[Published]:
    """All records after these ends, up to the ends now. Raises NotJudged."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    now = {place: end for place, end in ends(stack).items() if end > before.get(place, 0)}
    found: list[Published] = []
    consumer = Consumer({**stack.kafka_client, "group.id": "labkit", "enable.auto.commit": False, "log_level": 2})
    try:
        consumer.assign([TopicPartition(topic, partition, before.get((topic, partition), 0)) for topic, partition in now])
        while now:
            message = consumer.poll(ANSWER_S)
            if message is None:
                raise NotJudged(f"Kafka gave no further record within {ANSWER_S:.0f} s.", next_step="labkit status")
            if (error := message.error()) is not None:
                raise KafkaException(error)
            topic, partition, offset = str(message.topic()), int(message.partition() or 0), int(message.offset() or 0)
            found.append(_published(stack.profile.short(topic), partition, offset, message.value()))
            if offset + 1 >= now.get((topic, partition), 0):
                now.pop((topic, partition), None)
    except KafkaException as error:
        raise NotJudged(f"Kafka does not answer: {error.args[0].str()}.", next_step="labkit status") from error
    finally:
        consumer.close()
    return found


def _published(channel: str, partition: int, offset: int, value: object) -> Published:
    try:
        data = json.loads(value if isinstance(value, bytes) else b"")
        headers, payload = data["headers"], json.loads(data["payload"])
        event = str(headers.get("event-type", "")).rpartition(".")[2].removesuffix("Event")
        order = payload.get("orderId") or (headers["event-aggregate-id"] if event.startswith("Order") else None)
        return Published(channel, partition, offset, event, None if order is None else int(order), headers.get("ID"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Published(channel, partition, offset, "a record that is not a message", None, None)
