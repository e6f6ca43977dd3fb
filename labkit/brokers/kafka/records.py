"""Read Kafka's records without affecting any consumer group."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from labkit.account import Account
from labkit.brokers.kafka import library
from labkit.brokers.model import PLANTED_BY, Place, Position, Record

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

BATCH = 1000
UNREADABLE = (-198, -199)  # librdkafka: a batch has an invalid compression or format; the library would retry it for ever


def read(account: Account, starts: Mapping[Place, Position], ends: Mapping[Place, Position], silence_s: float) -> Iterator[list[Record]]:
    from confluent_kafka import Consumer, TopicPartition

    unread = {place: ends[place] for place, start in starts.items() if start < ends.get(place, 0)}
    if not unread:
        return
    consumer = Consumer(
        {
            **library.settings(account),
            "group.id": library.READER,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",  # skip the records of aborted transactions
            "auto.offset.reset": "error",
            "enable.partition.eof": True,  # a transaction's markers take offsets without a record
            "check.crcs": False,
            "fetch.wait.max.ms": 10,
            "queued.max.messages.kbytes": 32_768,
            "log_level": 0,
        }
    )
    try:
        with library.asked("Kafka does not return its records"):
            consumer.assign([TopicPartition(topic, partition, starts[topic, partition]) for topic, partition in unread])
            yield from _read(consumer, unread, silence_s)
    finally:
        consumer.close()


def _read(consumer: "Consumer", unread: dict[Place, Position], silence_s: float) -> Iterator[list[Record]]:
    from confluent_kafka import KafkaError, KafkaException, TopicPartition

    reached = dict.fromkeys(unread, 0)
    while unread:
        batch = consumer.consume(BATCH, 0.02) or consumer.consume(1, silence_s)
        if not batch:
            raise OSError(f"Kafka returned no further record within {silence_s:.0f} s")
        found = []
        for message in batch:
            place = (message.topic() or "", message.partition() or 0)
            if (error := message.error()) is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    unread.pop(place, None)
                    continue
                if error.code() not in UNREADABLE or (message.offset() or 0) < 0:
                    raise KafkaException(error)
            offset, end = message.offset() or 0, unread.get(place)
            if error is not None:  # the error names the batch's first record until its last record has been skipped
                offset = max(offset, reached[place])
                consumer.seek(TopicPartition(*place, offset + 1))
            reached[place] = offset + 1
            if end is None or offset >= end:
                unread.pop(place, None)
                continue
            found.append(_record(message, place, offset))
            if offset + 1 == end:
                unread.pop(place)
        yield found


def _record(message: "Message", place: Place, offset: int) -> Record:
    value = None if message.error() is not None else message.value()  # the value of an erroneous message is the error's text
    kind, milliseconds = message.timestamp()
    headers = message.headers()
    planted_by = dict(headers).get(PLANTED_BY) if headers else None
    return Record(
        *place,
        Position(offset),
        _bytes(message.key()),
        _bytes(value),
        milliseconds if kind else None,
        planted_by.decode(errors="replace") if isinstance(planted_by, bytes) else planted_by,
    )


def _bytes(data: str | bytes | None) -> bytes | None:
    return data.encode() if isinstance(data, str) else data
