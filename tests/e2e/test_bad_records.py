"""Hundreds of bad records between good orders: each is processed or parked, the good orders end, and no process is affected."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import redis
from confluent_kafka import Message, Producer

from services.customers.handlers import order_events
from services.messaging.delivery import Delivery, decode
from services.messaging.events import EventHandlers
from services.order_history.view import history_events
from services.orders.handlers import customer_events
from tests.e2e.shop import CUSTOMER_CHANNEL, ORDER_CHANNEL, eventually, new_customer, new_order, settled
from tests.messaging.bad_records import Bad, bad_records
from tests.messaging.received import received
from tests.running import RunningStack

WITHIN_S = 2.0  # 95 of 100 good orders
SERVICES = ("customers", "orders", "order-history", "relay", "gateway")
SUBSCRIBERS = {  # topic → subscriber, schema, handlers
    ORDER_CHANNEL: ("OrderEventConsumer", "customer_db", order_events),
    CUSTOMER_CHANNEL: ("customerServiceEvents", "order_db", customer_events),
}
VIEW = "customerHistoryServiceEvents"


@pytest.fixture
def emptied(stack: RunningStack) -> Iterator[None]:
    stack.labkit("reset", "--yes")
    yield
    stack.labkit("reset", "--yes")


@dataclass
class Flood:
    """The produced records by their position."""

    records: dict[tuple[str, int, int], Bad] = field(default_factory=dict)
    refused: int = 0

    def produce(self, stack: RunningStack, records: Iterator[Bad], per_second: float | None = None) -> None:
        producer = Producer({**stack.kafka_client, "linger.ms": 5, "message.max.bytes": 10_000_000})
        begun = time.monotonic()
        for number, bad in enumerate(records):
            if per_second is not None and (early := begun + number / per_second - time.monotonic()) > 0:
                time.sleep(early)

            def told(error: object, message: Message, bad: Bad = bad) -> None:
                if error is not None:
                    self.refused += 1  # by Kafka: the record is too large even for its log
                    return
                self.records[message.topic() or "", message.partition() or 0, message.offset() or 0] = bad

            producer.produce(bad.topic, bad.value, bad.key, headers=bad.headers, on_delivery=told)
            producer.poll(0)
        assert producer.flush(60) == 0


@contextmanager
def good_orders(stack: RunningStack, per_second: float) -> Iterator[list[float]]:
    """Within the block, several threads place orders and wait for the end of each. Yields the durations."""
    gateway = stack.url("gateway")
    customers = [new_customer(gateway, "100000.00") for _ in range(8)]
    took: list[float] = []
    failed: list[BaseException] = []
    over = threading.Event()
    clients = 4

    def place(customer: int) -> None:
        try:
            while not over.is_set():
                begun = time.monotonic()
                assert settled(gateway, new_order(gateway, customer, "1.00")) == ("APPROVED", None)
                took.append(time.monotonic() - begun)
                over.wait(max(0.0, clients / per_second - took[-1]))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=place, args=(customers[n],)) for n in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield took
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not failed, failed[0]


def parked_in_sql(stack: RunningStack, topic: str) -> set[tuple[str, int, int, int]]:
    subscriber, schema, _ = SUBSCRIBERS[topic]
    rows = stack.sql(
        f"select channel as c, channel_partition as p, position as o, message_index as i from {schema}.dead_letter where subscriber = %s",
        subscriber,
    )
    return {(row["c"], row["p"], int(row["o"]), row["i"]) for row in rows}


def parked_by_the_view(stack: RunningStack) -> list[tuple[str, int, int]]:
    at = stack.redis.get_connection_kwargs()
    with redis.Redis(host=at["host"], port=at["port"], password=at.get("password"), username=at.get("username")) as raw:
        entries = [fields for _, fields in raw.xrange(f"deadletter:{VIEW}")]
    return [(e[b"channel"].decode(), int(e[b"partition"]), int(e[b"position"])) for e in entries]


def decoded(flood: Flood, topic: str | None, handlers: EventHandlers) -> Iterator[tuple[tuple[str, int, int], Delivery]]:
    for place, bad in flood.records.items():
        if topic in (None, place[0]):
            for delivery in decode(received(*place, bad.key, bad.value), handlers):
                yield place, delivery


def pids(stack: RunningStack) -> Mapping[str, int | None]:
    return {name: pid for name, pid in stack.pids().items() if name in SERVICES}


def check(stack: RunningStack, flood: Flood) -> None:
    """Check that each subscriber processed or parked each record."""
    for topic, (subscriber, schema, handlers) in SUBSCRIBERS.items():
        check_subscriber(stack, list(decoded(flood, topic, handlers)), topic, subscriber, schema)
    positions = {place: offset + 1 for place, offset in sorted((record[:2], record[2]) for record in flood.records)}
    names = {f"{topic}:{partition}": end for (topic, partition), end in positions.items()}
    eventually(
        lambda: [n for n, end in names.items() if int(stack.redis.hget(f"positions:{VIEW}", n) or 0) < end],
        [],
    )
    to_park = sorted(place for place, d in decoded(flood, None, history_events) if d.undecodable is not None)
    assert sorted(parked_by_the_view(stack)) == to_park


def check_subscriber(
    stack: RunningStack, for_it: list[tuple[tuple[str, int, int], Delivery]], topic: str, subscriber: str, schema: str
) -> None:
    to_park = {(*place, d.index) for place, d in for_it if d.undecodable is not None}
    to_take = {d.message.id: (*place, d.index) for place, d in for_it if d.undecodable is None and d.message}
    eventually(lambda: to_park - parked_in_sql(stack, topic), set())
    query = f"select message_id as m from {schema}.received_messages where consumer_id = %s"

    def neither() -> list[tuple[str, int, int, int]]:
        taken, parked = {row["m"] for row in stack.sql(query, subscriber)}, parked_in_sql(stack, topic)
        return [place for message, place in to_take.items() if message not in taken and place not in parked]

    eventually(neither, [])
    told = stack.sql(f"select count(*) as n from {schema}.message where destination = %s", f"{subscriber}.dead-letter")[0]["n"]
    assert told == len(parked_in_sql(stack, topic))
    eventually(lambda: stack.sql(f"select count(*) as n from {schema}.message where published <> 1")[0]["n"], 0)


@pytest.mark.usefixtures("emptied")
def test_500_bad_records_are_taken_or_parked_and_good_orders_end(stack: RunningStack) -> None:
    before, flood = pids(stack), Flood()
    with good_orders(stack, per_second=20) as took:
        flood.produce(stack, bad_records(12, 500))
        eventually(lambda: len(took) >= 20, True)
    check(stack, flood)
    assert pids(stack) == before
    done = stack.labkit("verify", ok=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "A message was given up" in done.stdout
    assert len(done.stdout.splitlines()) < 300


def p95(took: list[float], beside: str) -> float:
    took = sorted(took)
    found = took[len(took) * 95 // 100]
    print(f"{len(took)} good orders beside {beside}: p50 {took[len(took) // 2]:.2f} s, p95 {found:.2f} s")
    return found


@pytest.mark.soak
@pytest.mark.usefixtures("emptied")
@pytest.mark.parametrize("value", [b"\0 no message", b'{"payload": "' + b"x" * 20_000], ids=["short", "20 kB"])
def test_4_400_undecodable_records_in_a_row_hold_up_no_good_order(stack: RunningStack, value: bytes) -> None:
    flood = Flood()
    with good_orders(stack, per_second=20) as took:
        eventually(lambda: len(took) > 20, True)
        flood.produce(stack, (Bad(ORDER_CHANNEL, value, b"%d" % n) for n in range(4_400)))
        eventually(lambda: len(parked_in_sql(stack, ORDER_CHANNEL)), 4_400)
        eventually(lambda: len(parked_by_the_view(stack)), 4_400)
    check(stack, flood)
    assert p95(took, f"4,400 undecodable records of {len(value)} bytes") < WITHIN_S


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("emptied")
@pytest.mark.parametrize("topic", [ORDER_CHANNEL, CUSTOMER_CHANNEL])
def test_20_000_bad_records_hold_up_no_good_order(stack: RunningStack, topic: str) -> None:
    before, flood = pids(stack), Flood()
    with good_orders(stack, per_second=20) as took:
        flood.produce(stack, bad_records(20_000, 20_000, topic), per_second=250)  # half of what two cores can process, including the load
    check(stack, flood)
    assert pids(stack) == before
    assert p95(took, f"{len(flood.records)} records on {topic}") < WITHIN_S
    done = stack.labkit("verify", "--json", ok=False, timeout=600)
    assert done.returncode in (1, 2), done.stderr
    assert json.loads(done.stdout)
