"""The view's consumer, on a separate topic and Redis database: changes of channels and stores while it runs."""

import asyncio
import json
import struct
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import redis as redis_client
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic  # type: ignore[attr-defined]
from redis.asyncio import Redis

from services.contracts.orders import OrderEvent
from services.messaging.brokers.kafka import Kafka, KafkaSettings
from services.messaging.consumer import Consumer
from services.messaging.events import EventHandlers
from services.messaging.multi_message import MAGIC
from services.order_history.effects import ViewEffects
from services.order_history.store import ViewChange, ViewStore
from tests.e2e.shop import eventually
from tests.running import RunningStack

DATABASE = 7  # in Redis; the stack's own view is in 0


class View:
    """The consumer in its own thread, from `start` to `stop`."""

    def __init__(self, stack: RunningStack) -> None:
        self.topic = f"view-{uuid.uuid4().hex[:8]}"
        at = stack.described.broker
        self.kafka = KafkaSettings(str(at), at.user, at.password)
        self.admin = AdminClient(self.kafka.client())
        self.at = {k: v for k, v in stack.redis.get_connection_kwargs().items() if k in ("host", "port", "username", "password")}
        self.redis: Any = redis_client.Redis(**self.at, db=DATABASE, decode_responses=True)
        self.redis.flushdb()
        self.make(4)
        self._consumer: Consumer | None = None

    def make(self, partitions: int) -> None:
        for made in self.admin.create_topics([NewTopic(self.topic, num_partitions=partitions, replication_factor=1)]).values():
            made.result(30)

    def delete(self) -> None:
        for gone in self.admin.delete_topics([self.topic], operation_timeout=30).values():
            gone.result(30)

    def start(self) -> None:
        class Placed(OrderEvent, frozen=True):
            aggregate_type = self.topic
            event_type = "Placed"

        handlers = EventHandlers()

        @handlers.handles(Placed)
        def placed(order: Placed) -> ViewChange:
            if str(order.total) == "6.66":
                raise ValueError("666 is no total")
            return ViewChange(order.customer_id, {f"order:{order.id}:total": str(order.total)}, (f"order:{order.id}:state", "PENDING"))

        started = threading.Event()

        async def run() -> None:
            store = ViewStore(Redis(**self.at, db=DATABASE), self.topic)
            self._loop = asyncio.get_running_loop()
            self._consumer = Consumer(self.topic, handlers, ViewEffects(store), Kafka(self.kafka, instance=self.topic))
            started.set()
            await self._consumer.run()
            await store.close()

        self._thread = threading.Thread(target=lambda: asyncio.run(run()))
        self._thread.start()
        started.wait()

    def stop(self) -> None:
        if self._consumer is not None:
            self._loop.call_soon_threadsafe(self._consumer.stop)
            self._thread.join()
            self._consumer = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def message(self, order: int, customer: int = 1, total: str = "1.00", payload: str | None = None) -> bytes:
        body = payload or f'{{"orderDetails":{{"customerId":{customer},"orderTotal":{{"amount":{total}}}}}}}'
        names = {"event-aggregate-type": self.topic, "event-type": "Placed", "event-aggregate-id": str(order), "ID": f"m-{order}"}
        return json.dumps({"payload": body, "headers": names}).encode()

    def produce(self, *values: bytes, partition: int = 0) -> None:
        producer = Producer(self.kafka.client())
        for value in values:
            producer.produce(self.topic, value, b"k", partition=partition)
        assert producer.flush(60) == 0

    def orders(self, customer: int = 1) -> set[int]:
        if self.redis.type(f"customerview:{customer}") != "hash":
            return set()
        return {int(field.split(":")[1]) for field in self.redis.hkeys(f"customerview:{customer}")}

    def parked(self) -> list[str]:
        with redis_client.Redis(**self.at, db=DATABASE) as raw:  # parked bytes are not text
            return [fields[b"cause"].decode() for _, fields in raw.xrange(f"deadletter:{self.topic}")]


@pytest.fixture
def view(stack: RunningStack) -> Iterator[View]:
    made = View(stack)
    made.start()
    yield made
    made.stop()
    made.delete()
    for gone in made.admin.delete_consumer_groups([made.topic]).values():
        gone.exception(30)
    made.redis.flushdb()


def test_a_topic_that_is_made_anew_is_read_from_its_beginning(view: View) -> None:
    view.produce(*(view.message(n) for n in range(1, 21)))
    eventually(lambda: len(view.orders()), 20)
    view.delete()
    eventually(lambda: view.topic in view.admin.list_topics(timeout=30).topics, True)  # its consumer has created it again
    view.produce(*(view.message(n) for n in range(101, 104)))
    eventually(lambda: {101, 102, 103} <= view.orders(), True)
    # while it is stopped, and with more records than before: the position exists in the new topic
    view.stop()
    view.delete()
    eventually(lambda: view.topic in view.admin.list_topics(timeout=30).topics, False)
    view.make(4)
    eventually(lambda: len(view.admin.list_topics(view.topic, timeout=30).topics[view.topic].partitions), 4)
    view.produce(*(view.message(n) for n in range(201, 231)))
    view.start()
    eventually(lambda: {*range(201, 231)} <= view.orders(), True)


def test_new_partitions_are_read(view: View) -> None:
    view.produce(view.message(1))
    eventually(view.orders, {1})
    for made in view.admin.create_partitions([NewPartitions(view.topic, 6)]).values():
        made.result(30)
    eventually(lambda: len(view.admin.list_topics(view.topic, timeout=30).topics[view.topic].partitions), 6)
    view.produce(view.message(2), partition=5)
    eventually(view.orders, {1, 2}, within_s=60)


def test_a_view_that_is_emptied_while_nothing_comes_is_built_anew(view: View) -> None:
    view.produce(*(view.message(n) for n in range(1, 6)))
    eventually(lambda: len(view.orders()), 5)
    view.redis.flushdb()
    eventually(lambda: len(view.orders()), 5)
    view.redis.hset(f"positions:{view.topic}", f"{view.topic}:0", "rubbish")
    view.redis.delete("customerview:1")
    eventually(lambda: len(view.orders()), 5)


def test_a_key_of_another_type_costs_the_events_of_its_customer_alone(view: View) -> None:
    view.redis.set("customerview:7", "a text")
    view.redis.hset("customerview:8", "order:5:state", "NO SUCH STATE")
    view.produce(*(view.message(n, customer=1 + n % 2 * 6) for n in range(1, 31)), view.message(5, customer=8), view.message(6, customer=8))
    eventually(lambda: len(view.orders(1)), 15)
    eventually(lambda: 6 in view.orders(8), True)
    eventually(lambda: len(view.parked()), 16)
    assert sum("WRONGTYPE customerview:7 is a string, it should be a hash" in cause for cause in view.parked()) == 15
    assert sum("compare" in cause for cause in view.parked()) == 1  # the script failed half-way: the message does not count as processed


def frame(*values: bytes) -> bytes:
    def text(b: bytes) -> bytes:
        return struct.pack("<I", len(b)) + b

    messages = b"".join(struct.pack("<HH", 0, 0) + text(b"k") + text(value) for value in values)
    return MAGIC + struct.pack("<HHHH", 0, 1, 1, 0) + struct.pack("<HH", 0, 0) + struct.pack("<HH", 0, len(values)) + messages


def test_of_several_messages_in_a_record_each_is_taken_or_parked(view: View) -> None:
    bad, lacking = view.message(1, total="6.66"), view.message(3, payload="{}")
    several = frame(bad, view.message(2), lacking, view.message(4), view.message(5, total="6.66"))
    view.produce(view.message(10), several, frame(view.message(11), view.message(12)), view.message(13))
    eventually(view.orders, {2, 4, 10, 11, 12, 13})
    eventually(lambda: len(view.parked()), 3)
    assert sorted(cause.splitlines()[-1] for cause in view.parked()) == [
        *("ValueError: 666 is no total",) * 2,
        "the event Placed lacks the field orderDetails",
    ]


def test_a_record_that_fails_holds_up_no_other(view: View) -> None:
    """Even a record that cannot be parked: its partition waits, and continues when parking works."""
    view.redis.set(f"deadletter:{view.topic}", "in the way")
    view.produce(view.message(1, total="6.66"), view.message(2))
    view.produce(b"no message", view.message(3), partition=1)
    view.produce(view.message(4), view.message(5), partition=2)
    eventually(view.orders, {4, 5})
    view.redis.delete(f"deadletter:{view.topic}")
    eventually(view.orders, {2, 3, 4, 5})
    assert len(view.parked()) == 2
