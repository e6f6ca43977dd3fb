"""Kafka as a Broker."""

import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from labkit.account import Account
from labkit.brokers.kafka import keys, library, records
from labkit.brokers.kafka.connection import KafkaConnection
from labkit.brokers.kafka.positions import Offsets
from labkit.brokers.model import PLANTED_BY, Place, Position, Record

ANSWER_S = 5.0
MOVED_S, ASK_AGAIN_S = 15.0, 0.2


class Kafka:
    title = "Kafka"
    positions = Offsets()

    def __init__(self, account: Account) -> None:
        self._account = account

    @staticmethod
    def load() -> None:
        import confluent_kafka  # noqa: F401

    def connect(self, timeout_s: float) -> KafkaConnection:
        return KafkaConnection(self._account, timeout=timeout_s)

    def read(
        self, starts: Mapping[Place, Position], ends: Mapping[Place, Position], *, silence_s: float = 10.0
    ) -> Iterator[Collection[Record]]:
        return records.read(self._account, starts, ends, silence_s)

    def publish(self, channel: str, key: bytes, value: bytes, *, planted_by: str, partition: int | None = None) -> tuple[int, Position]:
        from confluent_kafka import Producer

        producer = Producer({**library.settings(self._account), "log_level": 2, "partitioner": "murmur2_random", "linger.ms": 0})
        answers: list[tuple[Any, Any]] = []
        options: dict[str, Any] = {} if partition is None else {"partition": partition}
        with library.asked("Kafka did not take the record"):
            headers: dict[str, str | bytes | None] = {PLANTED_BY: planted_by.encode()}
            producer.produce(channel, key=key, value=value, headers=headers, on_delivery=lambda e, m: answers.append((e, m)), **options)
            producer.flush(ANSWER_S)
        if not answers or answers[0][0] is not None:
            raise OSError(f"Kafka did not take the record: {answers[0][0] if answers else 'no answer'}")
        message = answers[0][1]
        return int(message.partition()), Position(message.offset())

    def trim(self, place: Place, before: Position) -> Position:
        from confluent_kafka import TopicPartition

        with library.asked("Kafka did not delete the records"):
            admin = self._admin()
            (answer,) = admin.delete_records([TopicPartition(*place, before)], request_timeout=ANSWER_S).values()
            return Position(answer.result(ANSWER_S).low_watermark)

    def move(self, group: str, place: Place, position: Position) -> None:
        """Set the position at which a group continues.

        Kafka refuses while it considers the group alive. For a static member, that lasts until its session times out, 6 s.
        """
        from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

        admin = self._admin()
        deadline = time.monotonic() + MOVED_S
        with library.asked(f"Kafka did not move the group {group}"):
            while True:
                try:
                    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(*place, position)])
                    (answer,) = admin.alter_consumer_group_offsets([wanted]).values()
                    answer.result(ANSWER_S)
                    return
                except KafkaException:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(ASK_AGAIN_S)

    def partition_of(self, key: bytes, partitions: int) -> int:
        return keys.partition_of(key, partitions)

    def ensure(self, channel: str, partitions: int) -> None:
        from confluent_kafka import KafkaError, KafkaException
        from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

        with library.asked(f"Kafka did not create {channel}"):
            admin = self._admin()
            (made,) = admin.create_topics([NewTopic(channel, num_partitions=partitions, replication_factor=1)]).values()
            try:
                made.result(ANSWER_S)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise

    def _admin(self) -> Any:
        from confluent_kafka.admin import AdminClient

        return AdminClient({**library.settings(self._account), "log_level": 0})
