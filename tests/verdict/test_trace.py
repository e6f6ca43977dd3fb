"""labkit trace on the running stack: the first missing hop for each way in which an order can stop."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer

from tests.e2e.shop import CUSTOMER_CHANNEL, ORDER_CHANNEL, eventually, new_customer, new_order, settled
from tests.running import RunningStack


@pytest.fixture(scope="module", autouse=True)
def clean(shared_stack: RunningStack) -> Iterator[None]:
    shared_stack.labkit("reset", "--yes")
    yield
    shared_stack.labkit("up")
    shared_stack.labkit("reset", "--yes")


def traced(stack: RunningStack, *what: object) -> tuple[int, dict[str, Any]]:
    done = stack.labkit("trace", *map(str, what), "--json", ok=False)
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


def hop(story: dict[str, Any], name: str, event: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = next(h for h in story["hops"] if h["hop"] == name and event in (None, h["event"]))
    return found


def test_a_whole_order_has_every_hop(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    order = new_order(gateway, new_customer(gateway), "12.34")
    assert settled(gateway, order) == ("APPROVED", None)
    eventually(lambda: traced(stack, "order", order)[0], 0)
    story = traced(stack, "order", order)[1]
    assert [h["hop"] for h in story["hops"]] == [
        "row", "outbox", "broker", "consumer", "effect", "outbox", "broker", "consumer", "state", "outbox", "broker", "view"]  # fmt: skip
    assert (story["first_missing"], story["cause"], story["next"]) == (None, None, None)
    text = stack.labkit("trace", "order", str(order)).stdout
    assert f"Order {order} · customer" in text
    assert "same transaction" in text
    mermaid = stack.labkit("trace", "order", str(order), "--mermaid").stdout
    assert mermaid.startswith("sequenceDiagram")
    assert "Kafka->>customers: OrderCreated" in mermaid
    assert "▶" in stack.labkit("trace", "order", str(order), "--diagram").stdout
    message = story["hops"][1]["text"].split()[1]
    code, told = traced(stack, "message", message)
    assert (code, [h["hop"] for h in told["hops"]]) == (0, ["outbox", "broker", "consumer", "consumer"])


def test_the_relay_was_killed(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    ada = new_customer(gateway)
    stack.kill("relay")
    order = new_order(gateway, ada, "12.34")
    code, story = traced(stack, "order", order)
    assert (code, story["first_missing"]) == (1, "relay")
    assert story["cause"].startswith("relay is not running: it ended at ")
    assert story["next"] == "labkit up"


def test_kafka_was_killed(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    ada = new_customer(gateway)
    stack.kill("kafka")
    order = new_order(gateway, ada, "12.34")
    code, story = traced(stack, "order", order)
    assert (code, story["first_missing"]) == (2, "broker")
    assert story["cause"].startswith("kafka is not running: it ended at ")
    assert hop(story, "row")["mark"] == "ok"  # what can be read is shown


def test_the_consumer_is_suspended(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    ada = new_customer(gateway)
    with stack.paused("customers"):
        order = new_order(gateway, ada, "12.34")
        eventually(lambda: traced(stack, "order", order)[1]["first_missing"], "consumer")
        story = traced(stack, "order", order)[1]
    assert story["cause"] == "customers is paused: its process is stopped and does nothing."
    assert "behind" in hop(story, "consumer", "OrderCreated")["text"]
    assert settled(gateway, order) == ("APPROVED", None)


def test_the_view_is_down(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    ada = new_customer(gateway)
    stack.kill("order-history")
    order = new_order(gateway, ada, "12.34")
    # the relay publishes an order's end shortly after orders has written it
    code, story = eventually(lambda: traced(stack, "order", order), lambda told: told[1]["first_missing"] == "view")
    assert (code, story["state"]) == (1, "APPROVED")
    assert story["cause"].startswith("order-history is not running")


def test_redis_is_down(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    order = new_order(gateway, new_customer(gateway), "12.34")
    assert settled(gateway, order) == ("APPROVED", None)
    stack.kill("redis")
    code, story = eventually(lambda: traced(stack, "order", order), lambda told: told[1]["first_missing"] == "view")
    assert code == 2
    assert story["cause"].startswith("redis is not running")


def test_poison_was_parked_and_the_handler_raised(stack: RunningStack) -> None:
    """An existing reservation makes the handler raise each time, so the message is parked with the exception."""
    gateway = stack.url("gateway")
    ada = new_customer(gateway)
    next_order = stack.sql(
        "select auto_increment as n from information_schema.tables where table_schema = 'order_db' and table_name = 'orders'"
    )
    upcoming = max(int(next_order[0]["n"] or 1), stack.sql("select coalesce(max(id), 0) + 1 as n from order_db.orders")[0]["n"])
    for order in range(upcoming, upcoming + 3):
        stack.sql("insert into customer_db.customer_credit_reservations values (%s, %s, 0.01)", ada, order)
    order = new_order(gateway, ada, "1.00")
    eventually(lambda: traced(stack, "order", order)[1]["cause"] or "", lambda cause: "parked" in cause)
    story = traced(stack, "order", order)[1]
    assert story["first_missing"] == "consumer"
    assert "IntegrityError" in story["cause"]
    assert story["next"] == "labkit logs customers"
    stack.labkit("reset", "--yes")


def test_a_message_that_cannot_be_read_was_parked(changed: Callable[..., RunningStack]) -> None:
    encoded = "return _encode(event.to_payload()).decode()"
    stack = changed("messaging/events.py", encoded, f"{encoded}.replace('orderTotal', 'sum')")
    gateway = stack.url("gateway")
    order = new_order(gateway, new_customer(gateway), "12.34")
    eventually(lambda: traced(stack, "order", order)[1]["cause"] or "", lambda cause: "parked" in cause)
    story = traced(stack, "order", order)[1]
    assert story["first_missing"] == "consumer"
    assert "orderTotal" in story["cause"]
    assert story["next"] == "labkit logs customers"
    stack.labkit("reset", "--yes")


def test_a_record_with_the_wrong_key(changed: Callable[..., RunningStack]) -> None:
    """The saga still ends. Only the order of its events is no longer guaranteed."""
    stack = changed("messaging/relay/polling.py", "headers.get(PARTITION_ID) or headers[ID]", "headers[ID]")
    gateway = stack.url("gateway")
    order = new_order(gateway, new_customer(gateway), "12.34")
    assert settled(gateway, order) == ("APPROVED", None)
    eventually(lambda: traced(stack, "order", order)[1]["first_missing"], "broker")
    story = traced(stack, "order", order)[1]
    wrong = hop(story, "broker", "OrderCreated")
    assert wrong["mark"] == "missing"
    assert wrong["text"].endswith(f"; it should be '{order}'")
    assert story["cause"].startswith("The relay published OrderCreated with the key ")
    assert story["next"] == "labkit topics --by-key"
    stack.labkit("reset", "--yes")


def test_a_foreign_group_that_lags_for_ever_changes_nothing(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    foreign = Consumer({**stack.kafka_client, "group.id": "somebody-else", "auto.offset.reset": "earliest"})
    foreign.subscribe([ORDER_CHANNEL, CUSTOMER_CHANNEL])
    order = new_order(gateway, new_customer(gateway), "12.34")
    assert settled(gateway, order) == ("APPROVED", None)
    eventually(lambda: foreign.poll(1.0), lambda message: message is not None)
    foreign.commit(asynchronous=False)
    foreign.close()
    eventually(lambda: traced(stack, "order", order)[0], 0)
    assert json.loads(stack.labkit("verify", "--json").stdout)["verdict"] == "pass"


def test_what_does_not_exist_is_said_with_a_way_to_find_it(stack: RunningStack) -> None:
    for what in (("order", "987654"), ("customer", "987654"), ("message", "nothing")):
        done = stack.labkit("trace", *what, ok=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"There is no {' '.join(what)}.\nNext: labkit ")
    assert stack.labkit("trace", "order", "x", ok=False).returncode == 254
