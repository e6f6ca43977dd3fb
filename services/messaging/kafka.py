"""Kafka as the broker: a channel is a topic, a position an offset, a subscriber a consumer group with static membership."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordTooLargeError,
    TopicAlreadyExistsError,
)

from services.messaging.broker import BrokerUnavailable, OutgoingRecord, Place, Record, RecordRefused, StartPositions

SESSION_TIMEOUT_MS = 6_000
# A relay's whole batch for one partition is one Kafka batch, so that no part of it can overtake another when a send fails.
MAX_BATCH_BYTES = 900_000
ANSWER_TIMEOUT_S = 5.0


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except (InvalidTopicError, MessageSizeTooLargeError, RecordTooLargeError) as error:
        raise RecordRefused(str(error)) from error
    except (KafkaError, OSError, TimeoutError, IllegalStateError) as error:
        raise BrokerUnavailable(str(error) or type(error).__name__) from error


class Kafka:
    """`instance` names this member among all: the same process, restarted, takes its place in its groups at once."""

    def __init__(self, bootstrap: str, *, instance: str, partitions: int = 4) -> None:
        self._bootstrap = bootstrap
        self._instance = instance
        self._partitions = partitions

    async def publisher(self) -> "KafkaPublisher":
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            client_id=self._instance,
            enable_idempotence=True,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_BATCH_BYTES + 100_000,
            request_timeout_ms=15_000,
        )
        with _as_unavailable():
            await self._answers()
            await _started(producer)
        return KafkaPublisher(producer)

    async def _answers(self) -> None:
        """Cheap to ask again and again, where a client that is made in vain costs milliseconds. Raises OSError."""
        host, _, port = self._bootstrap.rpartition(":")
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), ANSWER_TIMEOUT_S)
        writer.close()

    async def receiver(self, subscriber: str, channels: Sequence[str], start: StartPositions | None = None) -> "KafkaReceiver":
        with _as_unavailable():
            await self._answers()
            await ensure_topics(self._bootstrap, channels, self._partitions)
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                client_id=self._instance,
                group_id=subscriber,
                group_instance_id=f"{self._instance}.{subscriber}",
                session_timeout_ms=SESSION_TIMEOUT_MS,
                heartbeat_interval_ms=1_500,
                max_poll_interval_ms=24 * 3600 * 1000,  # a database that is away for an hour must not cost the membership
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                request_timeout_ms=15_000,
                retry_backoff_ms=50,
            )
            listener = _Assignments(consumer, start)
            consumer.subscribe(list(channels), listener=listener)
            await _started(consumer)
        return KafkaReceiver(consumer, listener)


async def _started(client: Any) -> None:
    try:
        await asyncio.wait_for(client.start(), ANSWER_TIMEOUT_S)
    except BaseException:
        await client.stop()
        raise


async def ensure_topics(bootstrap: str, topics: Sequence[str], partitions: int) -> None:
    """Make the topics that are missing. Raises KafkaError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5_000)
    try:
        await asyncio.wait_for(admin.start(), ANSWER_TIMEOUT_S)
        missing = set(topics) - set(await admin.list_topics())
        if not missing:
            return
        new = [NewTopic(name, num_partitions=partitions, replication_factor=1) for name in sorted(missing)]
        for _, code, *detail in (await admin.create_topics(new)).topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise KafkaError(f"cannot make a topic: error {code} {detail}")
    finally:
        await admin.close()


class KafkaPublisher:
    def __init__(self, producer: Any) -> None:
        self._producer = producer

    async def publish(self, records: Sequence[OutgoingRecord]) -> None:
        with _as_unavailable():
            sent = [await self._producer.send(r.channel, key=r.key, value=r.value) for r in records]
            for acknowledgement in await asyncio.gather(*sent, return_exceptions=True):
                if isinstance(acknowledgement, BaseException):
                    raise acknowledgement

    async def check(self) -> None:
        with _as_unavailable():
            await asyncio.wait_for(self._producer.client.fetch_all_metadata(), ANSWER_TIMEOUT_S)

    async def close(self) -> None:
        """Give up what is not acknowledged yet: its rows are still in the outbox."""
        try:
            await asyncio.wait_for(self._producer.stop(), 1.0)
        except (KafkaError, TimeoutError, OSError):
            await self._producer.client.close()


class _Assignments(ConsumerRebalanceListener):  # type: ignore[misc]
    """Puts a subscriber that keeps its own positions where it left off whenever it gets partitions."""

    def __init__(self, consumer: Any, start: StartPositions | None) -> None:
        self._consumer = consumer
        self._start = start
        self.assigned = False

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self.assigned = False

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        if self._start is not None and assigned:
            beginnings, ends = await self._consumer.beginning_offsets(assigned), await self._consumer.end_offsets(assigned)
            positions = await self._start({(tp.topic, tp.partition): end for tp, end in ends.items()})
            for tp in assigned:
                self._consumer.seek(tp, positions.get((tp.topic, tp.partition), beginnings[tp]))
        self.assigned = True


class KafkaReceiver:
    def __init__(self, consumer: Any, assignments: _Assignments) -> None:
        self._consumer = consumer
        self._assignments = assignments

    async def receive(self, *, wait_ms: int, limit: int) -> list[Record]:
        with _as_unavailable():
            polled = await self._consumer.getmany(timeout_ms=wait_ms, max_records=limit)
        return [Record(place.topic, place.partition, r.offset, r.key, r.value) for place, records in polled.items() for r in records]

    async def acknowledge(self, positions: Mapping[Place, int]) -> None:
        # Suppressed: the partition went to another member meanwhile, which will see these records again and know them.
        with _as_unavailable(), suppress(CommitFailedError, IllegalStateError):
            await self._consumer.commit({TopicPartition(*place): position for place, position in positions.items()})

    def is_assigned(self) -> bool:
        return self._assignments.assigned

    async def check(self) -> None:
        with _as_unavailable():
            await asyncio.wait_for(self._consumer.topics(), ANSWER_TIMEOUT_S)

    async def close(self) -> None:
        try:
            await asyncio.wait_for(self._consumer.stop(), 2.0)
        except (KafkaError, TimeoutError, OSError):
            return
