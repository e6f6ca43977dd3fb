"""One bad message never stops the others: it is parked with its cause and its bytes. Other errors park nothing."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from confluent_kafka import Producer

from tests.e2e.shop import CUSTOMER_CHANNEL, ORDER_CHANNEL, eventually, new_customer, new_order, request, settled
from tests.running import RunningStack

POISON = b'{"payload": "\xff not a message'


def produce(stack: RunningStack, topic: str, partition: int, value: bytes) -> int:
    """Returns the offset."""
    offsets: list[int | None] = []
    producer = Producer(stack.kafka_client)
    producer.produce(topic, key=b"poison", value=value, partition=partition, on_delivery=lambda _, m: offsets.append(m.offset()))
    assert producer.flush(30) == 0
    assert offsets[0] is not None
    return offsets[0]


@pytest.fixture(scope="module", autouse=True)
def left_empty(shared_stack: RunningStack) -> Iterator[None]:
    yield
    shared_stack.labkit("reset", "--yes")


@pytest.fixture
def emptied(stack: RunningStack) -> None:
    """Removes what other tests left, and afterwards what this file parked."""
    stack.labkit("reset", "--yes")


@pytest.mark.parametrize(
    ("topic", "schema", "subscriber"),
    [(ORDER_CHANNEL, "customer_db", "OrderEventConsumer"), (CUSTOMER_CHANNEL, "order_db", "customerServiceEvents")],
)
def test_a_malformed_record_is_parked_and_later_orders_finish(
    emptied: None, stack: RunningStack, topic: str, schema: str, subscriber: str
) -> None:
    places = {partition: produce(stack, topic, partition, POISON) for partition in range(4)}
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "1000.00")
    # keys spread over all four partitions, so some of these orders are behind each poisoned record
    orders = [new_order(gateway, ada, "1.00") for _ in range(24)]
    assert {settled(gateway, order) for order in orders} == {("APPROVED", None)}
    query = f"select channel_partition as p, position, cause, record_value from {schema}.dead_letter where subscriber = %s and channel = %s"
    parked = eventually(lambda: stack.sql(query, subscriber, topic), lambda rows: len(rows) >= 4)
    assert {row["p"]: int(row["position"]) for row in parked} == places
    assert [row for row in parked if row["record_value"] != POISON or "not a message" not in row["cause"]] == []
    announced = stack.sql(f"select payload from {schema}.message where destination = %s", f"{subscriber}.dead-letter")
    assert len(announced) == 4
    at = stack.described.redis
    with redis.Redis(host=at.host, port=at.port, password=at.password) as raw:
        stream = "deadletter:customerHistoryServiceEvents"
        view_parked = eventually(
            lambda: [entry for _, entry in raw.xrange(stream) if entry[b"channel"] == topic.encode()], lambda parked: len(parked) >= 4
        )
    assert {int(entry[b"partition"]): int(entry[b"position"]) for entry in view_parked} == places
    assert all(entry[b"value"] == POISON for entry in view_parked)


@pytest.fixture
def changed(emptied: None, stack: RunningStack, tmp_path: Path) -> Iterator[Path]:
    """The stack runs from a copy of the services, which the test may break."""
    root = Path(__file__).parents[2]
    shutil.copytree(root / "services", tmp_path / "services", ignore=shutil.ignore_patterns("__pycache__"))
    yield tmp_path
    stack.labkit("up", "--services", str(root))


def test_a_handler_that_raises_for_one_order_does_not_stop_the_others(stack: RunningStack, changed: Path) -> None:
    handlers = changed / "services" / "customers" / "handlers.py"
    line = "    customer = await store.lock_customer(tx, order.customer_id)\n"
    source = handlers.read_text()
    assert line in source
    handlers.write_text(source.replace(line, f'{line}    if str(order.total) == "6.66":\n        raise ValueError("666 is no total")\n'))
    stack.labkit("up", "--services", str(changed))
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "1000.00")
    # paused while the records are posted, so that they arrive as one batch
    with stack.paused("customers"):
        orders = [new_order(gateway, ada, "6.66" if n == 7 else "1.00") for n in range(20)]
        eventually(lambda: stack.sql("select count(*) as n from order_db.message where published = 0")[0]["n"], 0)
    bad = orders.pop(7)
    assert {settled(gateway, order) for order in orders} == {("APPROVED", None)}
    held = stack.sql(
        "select credit_reservations_key as o, amount from customer_db.customer_credit_reservations where customer_id = %s", ada
    )
    assert sorted(row["o"] for row in held) == sorted(orders)
    [parked] = eventually(lambda: stack.sql("select * from customer_db.dead_letter"), lambda rows: len(rows) == 1)
    assert "666 is no total" in parked["cause"]
    assert str(bad).encode() in parked["record_value"]
    answers = stack.sql("select json_value(payload, '$.orderId') as o from customer_db.message where payload like '%orderId%'")
    assert sorted(int(row["o"]) for row in answers) == sorted(orders)


def parked(stack: RunningStack) -> int:
    return int(stack.sql("select count(*) as n from customer_db.dead_letter")[0]["n"])


def retries(stack: RunningStack) -> int:
    return stack.log("customers").count("trying again")


def test_a_locked_row_delays_and_parks_nothing(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "15.00")
    before, retried = parked(stack), retries(stack)
    with stack.transaction() as cursor:
        cursor.execute("select * from customer_db.customer where id = %s for update", (ada,))
        order = new_order(gateway, ada, "12.34")
        eventually(stack.somebody_waits_for_a_lock, True)
        # longer than the service's lock wait time-out: it must have retried at least once
        eventually(lambda: retries(stack), lambda seen: seen > retried)
    assert settled(gateway, order) == ("APPROVED", None)
    assert parked(stack) == before


def test_a_database_outage_parks_nothing(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "15.00")
    before, retried = parked(stack), retries(stack)
    with stack.paused("customers"):
        order = new_order(gateway, ada, "12.34")
        eventually(lambda: stack.sql("select count(*) as n from order_db.message where published = 0")[0]["n"], 0)
        stack.kill("mysql")
    eventually(lambda: retries(stack), lambda seen: seen > retried)
    stack.labkit("up")
    assert settled(gateway, order) == ("APPROVED", None)
    assert parked(stack) == before


@pytest.mark.usefixtures("emptied")
def test_text_that_no_store_can_take_stops_nobody(stack: RunningStack) -> None:
    half_a_pair = '{"payload":"{}","headers":{"ID":"m-1","event-aggregate-type":"\\ud800","event-type":"\\ud800","event-aggregate-id":"1"}}'
    name = '{\\"name\\":\\"\\\\ud800\\",\\"creditLimit\\":{\\"amount\\":1}}'
    created = f'"event-aggregate-type":"{CUSTOMER_CHANNEL}","event-type":"{CUSTOMER_CHANNEL}CreatedEvent","event-aggregate-id":"1"'
    for partition in range(4):
        for topic in (ORDER_CHANNEL, CUSTOMER_CHANNEL):
            produce(stack, topic, partition, half_a_pair.encode())
        produce(stack, CUSTOMER_CHANNEL, partition, f'{{"payload":"{name}","headers":{{"ID":"m-2-{partition}",{created}}}}}'.encode())
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "1000.00")
    orders = [new_order(gateway, ada, "1.00") for _ in range(12)]
    assert {settled(gateway, order) for order in orders} == {("APPROVED", None)}
    eventually(lambda: len(json.loads(request("GET", f"{gateway}/customers/{ada}/orderhistory")[1] or b"{}").get("orders", {})), 12)
