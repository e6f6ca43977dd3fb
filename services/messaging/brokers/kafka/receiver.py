"""Receiving from Kafka as a static member of a consumer group.

Kafka's client blocks. Each receiver therefore has its own thread, which makes all calls to its client, one after another.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from services.messaging.brokers import BrokerUnavailable, Place, Position, Record, StartPositions
from services.messaging.brokers.kafka import topics
from services.messaging.brokers.kafka.client import ANSWER_TIMEOUT_S, KafkaSettings, failure

T = TypeVar("T")

SESSION_TIMEOUT_MS = 6_000
JOIN_SLICE_S = 0.02  # while the receiver waits for its partitions
CLOSE_S = 2.0
UNREADABLE = {KafkaError._BAD_COMPRESSION, KafkaError._BAD_MSG}  # one batch of records is damaged; the client would retry it for ever


def _at(offset: int) -> Position:
    return Position((offset,))


def _offset(position: Position) -> int:
    return position.numbers[0]


class KafkaReceiver:
    def __init__(self, settings: KafkaSettings, instance: str, subscriber: str, start: StartPositions | None) -> None:
        self._settings = settings
        self._start = start
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="consumer")
        self._consumer = Consumer(
            {
                **settings.quick_client(instance),
                "group.id": subscriber,
                "group.instance.id": f"{instance}.{subscriber}",
                "session.timeout.ms": SESSION_TIMEOUT_MS,
                "heartbeat.interval.ms": 1_500,
                "max.poll.interval.ms": 24 * 3600 * 1000,  # a database outage of an hour must not cost the membership
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "queued.max.messages.kbytes": 4_096,
                "fetch.queue.backoff.ms": 5,
                "on_commit": self._on_commit,
            }
        )
        self._assigned = False
        self._failure: Exception | None = None
        self._to_commit: dict[Place, int] = {}
        self._to_hold: frozenset[Place] = frozenset()
        self._on_hold: frozenset[Place] = frozenset()
        self._next: dict[Place, int] = {}
        self._identities: dict[str, str] = {}

    async def _on_its_thread(self, call: Callable[[], T]) -> T:
        try:
            return await self._loop.run_in_executor(self._thread, call)
        except KafkaException as error:
            raise failure(error) from error

    async def join(self, channels: Sequence[str], partitions: int) -> None:
        def call() -> None:
            missing = set(channels) - set(self._consumer.list_topics(timeout=ANSWER_TIMEOUT_S).topics)
            if missing:
                topics.create(self._settings, sorted(missing), partitions)
            # Asking for a committed offset waits until the group's coordinator is available. Joining before that costs 3 s.
            self._consumer.committed([TopicPartition(channels[0], 0)], timeout=ANSWER_TIMEOUT_S)
            if self._start is not None:
                self._identities = topics.identities(self._settings, channels)
            self._consumer.subscribe(list(channels), on_assign=self._on_assign, on_revoke=self._on_revoke)

        await self._on_its_thread(call)

    async def receive(self, *, wait_ms: int, limit: int) -> list[Record]:
        return await self._on_its_thread(lambda: [self._record(message) for message in self._poll(wait_ms / 1000, limit)])

    def _record(self, message: Message) -> Record:
        """Convert a Kafka message. Raises BrokerUnavailable for an error, and when a topic was deleted and created again."""
        if (error := message.error()) is not None:
            if error.code() not in UNREADABLE or (message.offset() or 0) < 0:
                raise failure(error)
            return self._unreadable(message, error)
        place, offset = (message.topic() or "", message.partition() or 0), message.offset() or 0
        if offset < self._next.get(place, 0):
            raise BrokerUnavailable(f"{place[0]} was deleted and created again: it gives offset {offset} a second time")
        self._next[place] = offset + 1
        return Record(*place, _at(offset), _at(offset + 1), _bytes(message.key()), _bytes(message.value()))

    def _unreadable(self, message: Message, error: KafkaError) -> Record:
        """Skip an unreadable record. The error names the first record of the batch, repeatedly, until the last one has been skipped."""
        place = message.topic() or "", message.partition() or 0
        offset = max(message.offset() or 0, self._next.get(place, 0))
        self._consumer.seek(TopicPartition(*place, offset + 1))
        self._next[place] = offset + 1
        return Record(*place, _at(offset), _at(offset + 1), None, None, f"the record cannot be read: {error.str()}")

    def _poll(self, wait_s: float, limit: int) -> list[Message]:
        if self._to_commit:
            self._commit(asynchronous=True)
        if self._to_hold != self._on_hold and self._assigned:
            self._pause_and_resume()
        first = self._consumer.poll(wait_s if self._assigned else min(wait_s, JOIN_SLICE_S))
        if self._failure is not None:
            error, self._failure = self._failure, None
            raise error
        return [] if first is None else [first, *self._consumer.consume(limit - 1, 0)]

    def acknowledge(self, positions: Mapping[Place, Position]) -> None:
        self._to_commit.update({place: _offset(position) for place, position in positions.items()})

    def _commit(self, *, asynchronous: bool) -> None:
        offsets = [TopicPartition(*place, offset) for place, offset in self._to_commit.items()]
        self._to_commit = {}
        self._consumer.commit(offsets=offsets, asynchronous=asynchronous)  # type: ignore[call-overload]

    def _on_commit(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        """Queue a failed commit again, unless a later offset is already waiting: no further record may come to trigger it."""
        for place in places:
            if error is not None or place.error is not None:
                self._to_commit.setdefault((place.topic, place.partition), place.offset)

    def hold(self, places: Collection[Place]) -> None:
        self._to_hold = frozenset(places)

    def _pause_and_resume(self) -> None:
        wanted = self._to_hold & {(p.topic, p.partition) for p in self._consumer.assignment()}
        self._consumer.pause([TopicPartition(*place) for place in wanted - self._on_hold])
        self._consumer.resume([TopicPartition(*place) for place in self._on_hold - wanted])
        self._on_hold = self._to_hold = wanted

    def is_assigned(self) -> bool:
        return self._assigned

    def _on_assign(self, consumer: Consumer, assigned: list[TopicPartition]) -> None:
        """Start at the positions that the subscriber wants.

        This happens before anything is fetched: a fetch that waits for records blocks every later request on its connection.
        """
        try:
            bounds = {(p.topic, p.partition): self._bounds(p) for p in assigned}
            begins = {place: low for place, (low, _) in bounds.items()}
            self._next = {}
            if self._start is not None:
                ends = {place: _at(high) for place, (_, high) in bounds.items()}
                wanted = asyncio.run_coroutine_threadsafe(self._start(ends, self._identities), self._loop).result(ANSWER_TIMEOUT_S)
                begins |= {place: _offset(position) for place, position in wanted.items() if place in begins}
                consumer.assign([TopicPartition(*place, begin) for place, begin in begins.items()])
            else:
                consumer.assign(assigned)
            self._commit_what_is_behind(begins)
            self._assigned = True
        except Exception as error:  # an exception must not pass through Kafka's client in the middle of a rebalance
            self._failure = error

    def _bounds(self, place: TopicPartition) -> tuple[int, int]:
        """Returns the first offset and the end offset. Retries while the broker is still electing leaders. Raises KafkaException."""
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while True:
            try:
                return self._consumer.get_watermark_offsets(place, timeout=ANSWER_TIMEOUT_S)
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(JOIN_SLICE_S)

    def _commit_what_is_behind(self, begins: Mapping[Place, int]) -> None:
        """Commit the start positions, so that earlier records do not count as lag. Those were deleted, or processed before a crash
        prevented the commit."""
        for place in self._consumer.committed([TopicPartition(*place) for place in begins], timeout=ANSWER_TIMEOUT_S):
            begin = begins[place.topic, place.partition]
            if max(place.offset, 0) < begin:
                self._to_commit[place.topic, place.partition] = begin

    def _on_revoke(self, consumer: Consumer, revoked: list[TopicPartition]) -> None:
        self._assigned = False
        self._on_hold = frozenset()
        # The client also does this after the callback, but first asks for the group's protocol while it holds Python's global lock. A
        # client that is being closed may never get an answer (librdkafka issue 4041), and the process would hang for ever.
        with suppress(KafkaException):
            consumer.unassign()

    async def close(self) -> None:
        """Commit a last time and leave the group. Records that cannot be committed now are redelivered, and the subscriber recognises
        them."""

        def call() -> None:
            with suppress(KafkaException):
                if self._to_commit:
                    self._commit(asynchronous=False)
            self._consumer.close()

        with suppress(BrokerUnavailable, TimeoutError):
            await asyncio.wait_for(self._on_its_thread(call), CLOSE_S)
        self._thread.shutdown(wait=False, cancel_futures=True)


def _bytes(value: Any) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
