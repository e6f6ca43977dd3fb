"""Kafka as the broker: a channel is a topic, a position an offset, a subscriber a consumer group with static membership.

Kafka's client blocks, so each consumer has a thread of its own on which all its calls are made, one after another, and each producer
has one that waits for acknowledgements.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from services.messaging.broker import BrokerUnavailable, OutgoingRecord, Place, Record, RecordRefused, StartPositions
from services.messaging.events import EVENT_TYPE
from services.messaging.message import ID, decode_value
from services.workshop.armed import armed
from services.workshop.failpoint import failpoint
from services.workshop.fault import About

T = TypeVar("T")

SESSION_TIMEOUT_MS = 6_000
SILENT_MS = 6_000  # a network that was cut and is back may have lost an answer, for which the client would wait a minute
METADATA_MS = 1_000  # how long new partitions and topics stay unseen
ANSWER_TIMEOUT_S = 5.0
JOIN_SLICE_S = 0.02  # while it waits for its partitions
UNREADABLE = {KafkaError._BAD_COMPRESSION, KafkaError._BAD_MSG}  # of one batch of records; the client would try for ever to read it
REFUSALS = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.TOPIC_EXCEPTION, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD}


def _failure(error: Any) -> Exception:
    """For a KafkaError, or the exception that carries one."""
    if isinstance(error, KafkaException):
        error = error.args[0]
    return RecordRefused(str(error)) if error.code() in REFUSALS else BrokerUnavailable(str(error))


class KafkaSettings(msgspec.Struct, frozen=True):
    """Where the broker is, and who one is there; without a password it asks for none."""

    bootstrap: str
    username: str | None = None
    password: str | None = None

    def client(self) -> dict[str, Any]:
        """As Kafka's client wants them."""
        where = {"bootstrap.servers": self.bootstrap}
        if self.password is None:
            return where
        login = {"sasl.username": self.username or "", "sasl.password": self.password}
        return {**where, "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", **login}


class Kafka:
    """`instance` names this process among all: restarted, it takes its place in its groups at once. `published` is the failpoint that
    a publisher passes with each acknowledged record."""

    def __init__(self, settings: KafkaSettings, *, instance: str, partitions: int = 4, published: str = "") -> None:
        self.settings = settings
        self._partitions = partitions
        self._instance = instance
        self._published = published
        if published:
            armed.declare(published)
        self._client = settings.client()
        self._options: dict[str, Any] = {
            **self._client,
            "client.id": instance,
            "log_level": 2,
            "socket.nagle.disable": True,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
            "retry.backoff.ms": 50,
            "socket.timeout.ms": SILENT_MS,
            "topic.metadata.refresh.interval.ms": METADATA_MS,
        }

    async def check(self) -> None:
        host, _, port = self.settings.bootstrap.rpartition(":")
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), ANSWER_TIMEOUT_S)
        except OSError as error:
            raise BrokerUnavailable(str(error)) from error
        writer.close()

    async def publisher(self) -> "KafkaPublisher":
        await self.check()
        return KafkaPublisher(
            {
                **self._options,
                "enable.idempotence": True,
                "linger.ms": 0,
                "request.timeout.ms": SILENT_MS,
                # the partitioner of Kafka's Java client, so that a key goes where a Java relay would send it
                "partitioner": "murmur2_random",
            },
            self._published,
        )

    async def receiver(self, subscriber: str, channels: Sequence[str], start: StartPositions | None = None) -> "KafkaReceiver":
        await self.check()
        settings = {
            **self._options,
            "group.id": subscriber,
            "group.instance.id": f"{self._instance}.{subscriber}",
            "session.timeout.ms": SESSION_TIMEOUT_MS,
            "heartbeat.interval.ms": 1_500,
            "max.poll.interval.ms": 24 * 3600 * 1000,  # a database that is away for an hour must not cost the membership
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "queued.max.messages.kbytes": 4_096,
            "fetch.queue.backoff.ms": 5,
        }
        receiver = KafkaReceiver(settings, start, self._client)
        try:
            await receiver.join(channels, self._partitions)
        except BaseException:
            await receiver.close()
            raise
        return receiver


class KafkaPublisher:
    def __init__(self, settings: dict[str, Any], published: str = "") -> None:
        self._producer = Producer(settings)
        self._published = published
        self._loop = asyncio.get_running_loop()
        self._closing = False
        threading.Thread(target=self._wait_for_acknowledgements, daemon=True, name="acknowledgements").start()

    def _wait_for_acknowledgements(self) -> None:
        while not self._closing:
            self._producer.poll(0.2)

    async def publish(self, records: Sequence[OutgoingRecord]) -> None:
        if self._published not in armed.points:
            await self._publish(records)
            return
        for record in records:
            await self._publish([record])
            await failpoint(self._published, _about(record))

    async def _publish(self, records: Sequence[OutgoingRecord]) -> None:
        acknowledged: asyncio.Future[None] = self._loop.create_future()
        failures: list[KafkaError] = []
        left = len(records)

        def on_delivery(error: KafkaError | None, _: Message) -> None:
            nonlocal left
            left -= 1
            if error is not None:
                failures.append(error)
            if left == 0:
                self._loop.call_soon_threadsafe(_finish, acknowledged)

        for record in records:
            try:
                self._producer.produce(record.channel, key=record.key, value=record.value, on_delivery=on_delivery)
            except KafkaException as error:
                raise _failure(error) from error
            except BufferError as error:
                raise BrokerUnavailable(str(error)) from error
        try:
            await asyncio.wait_for(acknowledged, ANSWER_TIMEOUT_S)
        except TimeoutError:
            raise BrokerUnavailable(f"no acknowledgement within {ANSWER_TIMEOUT_S:.0f} s") from None
        if failures:
            raise _failure(failures[0])

    async def close(self) -> None:
        """Give up what is not acknowledged yet: its rows are still in the outbox."""
        self._closing = True
        self._producer.purge()


def _about(record: OutgoingRecord) -> About:
    headers = decode_value(record.channel, record.value).headers
    return About(headers[ID], headers.get(EVENT_TYPE, ""), record.key.decode(errors="replace"), channel=record.channel)


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class KafkaReceiver:
    def __init__(self, settings: dict[str, Any], start: StartPositions | None, client: dict[str, Any]) -> None:
        self._start = start
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="consumer")
        self._client = client
        self._consumer = Consumer({**settings, "on_commit": self._on_commit})
        self._assigned = False
        self._failure: Exception | None = None
        self._to_commit: dict[Place, int] = {}
        self._to_hold: frozenset[Place] = frozenset()
        self._held: frozenset[Place] = frozenset()
        self._next: dict[Place, int] = {}
        self._identities: dict[str, str] = {}

    async def _on_its_thread(self, call: Callable[[], T]) -> T:
        try:
            return await self._loop.run_in_executor(self._thread, call)
        except KafkaException as error:
            raise _failure(error) from error

    async def join(self, channels: Sequence[str], partitions: int) -> None:
        def call() -> None:
            missing = set(channels) - set(self._consumer.list_topics(timeout=ANSWER_TIMEOUT_S).topics)
            if missing:
                _make_topics(self._client, sorted(missing), partitions)
            # Asking for a committed offset waits just until the group's coordinator is there; joining before that costs 3 s.
            self._consumer.committed([TopicPartition(channels[0], 0)], timeout=ANSWER_TIMEOUT_S)
            if self._start is not None:
                self._identities = _identities(self._client, channels)
            self._consumer.subscribe(list(channels), on_assign=self._on_assign, on_revoke=self._on_revoke)

        await self._on_its_thread(call)

    async def receive(self, *, wait_ms: int, limit: int) -> list[Record]:
        return await self._on_its_thread(lambda: [self._record(message) for message in self._poll(wait_ms / 1000, limit)])

    def _record(self, message: Message) -> Record:
        """Raises BrokerUnavailable for a message that is an error, and when a channel begins anew under its old name."""
        if (error := message.error()) is not None:
            if error.code() not in UNREADABLE or (message.offset() or 0) < 0:
                raise _failure(error)
            return self._unreadable(message, error)
        record = Record(
            message.topic() or "", message.partition() or 0, message.offset() or 0, _bytes(message.key()), _bytes(message.value())
        )
        if record.position < self._next.get(record.place, 0):
            raise BrokerUnavailable(f"{record.channel} was made anew: it gives position {record.position} again")
        self._next[record.place] = record.position + 1
        return record

    def _unreadable(self, message: Message, error: KafkaError) -> Record:
        """Step over it. The error names the first record of its batch, again and again until the last one has been stepped over."""
        place = message.topic() or "", message.partition() or 0
        position = max(message.offset() or 0, self._next.get(place, 0))
        self._consumer.seek(TopicPartition(*place, position + 1))
        self._next[place] = position + 1
        return Record(*place, position, None, None, f"the record cannot be read: {error.str()}")

    def _poll(self, wait_s: float, limit: int) -> list[Message]:
        if self._to_commit:
            self._commit(asynchronous=True)
        if self._to_hold != self._held and self._assigned:
            self._hold()
        first = self._consumer.poll(wait_s if self._assigned else min(wait_s, JOIN_SLICE_S))
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        return [] if first is None else [first, *self._consumer.consume(limit - 1, 0)]

    def acknowledge(self, positions: Mapping[Place, int]) -> None:
        self._to_commit.update(positions)

    def _commit(self, *, asynchronous: bool) -> None:
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in self._to_commit.items()]
        self._to_commit = {}
        if asynchronous:
            self._consumer.commit(offsets=offsets)
        else:
            self._consumer.commit(offsets=offsets, asynchronous=False)

    def _on_commit(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        """A position that could not be told is told again, unless a later one is waiting: no other record may ever come to do it."""
        for place in places:
            if error is not None or place.error is not None:
                self._to_commit.setdefault((place.topic, place.partition), place.offset)

    def hold(self, places: Collection[Place]) -> None:
        self._to_hold = frozenset(places)

    def _hold(self) -> None:
        wanted = self._to_hold & {(p.topic, p.partition) for p in self._consumer.assignment()}
        self._consumer.pause([TopicPartition(*place) for place in wanted - self._held])
        self._consumer.resume([TopicPartition(*place) for place in self._held - wanted])
        self._held = self._to_hold = wanted

    def is_assigned(self) -> bool:
        return self._assigned

    def _on_assign(self, consumer: Consumer, assigned: list[TopicPartition]) -> None:
        """Begin where the subscriber wants to.

        Here, before anything is fetched: a fetch that waits for records holds up every later question on its connection.
        """
        try:
            bounds = {(p.topic, p.partition): self._bounds(p) for p in assigned}
            begins = {place: low for place, (low, _) in bounds.items()}
            self._next = {}
            if self._start is not None:
                ends = {place: high for place, (_, high) in bounds.items()}
                wanted = asyncio.run_coroutine_threadsafe(self._start(ends, self._identities), self._loop).result(ANSWER_TIMEOUT_S)
                begins = {place: wanted.get(place, low) for place, low in begins.items()}
                consumer.assign([TopicPartition(*place, begin) for place, begin in begins.items()])
            self._commit_what_is_behind(begins)
            self._assigned = True
        except Exception as error:  # must not pass through Kafka's client, which is in the middle of a rebalance
            self._failure = error

    def _bounds(self, place: TopicPartition) -> tuple[int, int]:
        """First and end offset; asks again while the broker is still finding out who leads what. Raises KafkaException."""
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while True:
            try:
                return self._consumer.get_watermark_offsets(place, timeout=ANSWER_TIMEOUT_S)
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(JOIN_SLICE_S)

    def _commit_what_is_behind(self, begins: Mapping[Place, int]) -> None:
        """Records before the first one to take are nobody's lag: they were deleted, or taken before a crash kept that from being told."""
        for place in self._consumer.committed([TopicPartition(*place) for place in begins], timeout=ANSWER_TIMEOUT_S):
            begin = begins[place.topic, place.partition]
            if max(place.offset, 0) < begin:
                self._to_commit[place.topic, place.partition] = begin

    def _on_revoke(self, consumer: Consumer, revoked: list[TopicPartition]) -> None:
        self._assigned = False
        self._held = frozenset()

    async def close(self) -> None:
        """Say the last word about positions, and leave. What cannot be said now is delivered again, and known."""

        def call() -> None:
            with suppress(KafkaException):
                if self._to_commit:
                    self._commit(asynchronous=False)
            self._consumer.close()

        with suppress(BrokerUnavailable, TimeoutError):
            await asyncio.wait_for(self._on_its_thread(call), 2.0)
        self._thread.shutdown(wait=False, cancel_futures=True)


def _bytes(value: Any) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _identities(client: dict[str, Any], names: Sequence[str]) -> dict[str, str]:
    """The ids of topics. Raises KafkaException."""
    from confluent_kafka import TopicCollection
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({**client, "log_level": 0})
    described = admin.describe_topics(TopicCollection(list(names)), request_timeout=ANSWER_TIMEOUT_S)
    return {name: str(found.result(ANSWER_TIMEOUT_S).topic_id) for name, found in described.items()}


def _make_topics(client: dict[str, Any], names: Sequence[str], partitions: int) -> None:
    """Raises KafkaException; that another service was faster is none."""
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

    admin = AdminClient({**client, "log_level": 0})
    new = [NewTopic(name, num_partitions=partitions, replication_factor=1) for name in names]
    for result in admin.create_topics(new, operation_timeout=ANSWER_TIMEOUT_S).values():
        try:
            result.result(ANSWER_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
