"""Receiving from Kafka, as a static member of a consumer group.

Kafka's client blocks: each receiver has a thread of its own, on which all calls of its client are made, one after another.
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
JOIN_SLICE_S = 0.02  # while it waits for its partitions
CLOSE_S = 2.0
UNREADABLE = {KafkaError._BAD_COMPRESSION, KafkaError._BAD_MSG}  # of one batch of records; the client would try for ever to read it


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
                "max.poll.interval.ms": 24 * 3600 * 1000,  # a database that is away for an hour must not cost the membership
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
            # Asking for a committed offset waits just until the group's coordinator is there; joining before that costs 3 s.
            self._consumer.committed([TopicPartition(channels[0], 0)], timeout=ANSWER_TIMEOUT_S)
            if self._start is not None:
                self._identities = topics.identities(self._settings, channels)
            self._consumer.subscribe(list(channels), on_assign=self._on_assign, on_revoke=self._on_revoke)

        await self._on_its_thread(call)

    async def receive(self, *, wait_ms: int, limit: int) -> list[Record]:
        return await self._on_its_thread(lambda: [self._record(message) for message in self._poll(wait_ms / 1000, limit)])

    def _record(self, message: Message) -> Record:
        """Raises BrokerUnavailable for a message that is an error, and when a topic was deleted and created again."""
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
        """Step over it. The error names the first record of its batch, again and again until the last one has been stepped over."""
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
        """An offset that was not committed is committed again, unless a later one is waiting: there may be no other record to do it."""
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
        """Begin where the subscriber wants to.

        Here, before anything is fetched: a fetch that waits for records holds up every later question on its connection.
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
        """Records before the first one to take count as nobody's lag: they were deleted, or taken before a crash prevented the commit."""
        for place in self._consumer.committed([TopicPartition(*place) for place in begins], timeout=ANSWER_TIMEOUT_S):
            begin = begins[place.topic, place.partition]
            if max(place.offset, 0) < begin:
                self._to_commit[place.topic, place.partition] = begin

    def _on_revoke(self, consumer: Consumer, revoked: list[TopicPartition]) -> None:
        self._assigned = False
        self._on_hold = frozenset()
        # The client does the same after this callback, but asks for the group's protocol first, and holds Python's global lock meanwhile.
        # A client that is being closed may never get an answer (librdkafka issue 4041), and the process would stand still for ever.
        with suppress(KafkaException):
            consumer.unassign()

    async def close(self) -> None:
        """Commit for the last time, and leave. What cannot be committed now is delivered again, and the subscriber knows it."""

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
