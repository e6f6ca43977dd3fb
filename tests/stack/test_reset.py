"""labkit reset: no earlier data remains, and an interrupted reset is completed."""

import json
import time

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.conftest import RunningStack
from tests.e2e.shop import new_customer, new_order, settled
from tests.running import wait_until

TABLES = {
    "customer_db": ("customer", "customer_credit_reservations", "message", "received_messages", "dead_letter"),
    "order_db": ("orders", "message", "received_messages", "dead_letter"),
}


def some_history(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    assert settled(gateway, new_order(gateway, new_customer(gateway), "12.34")) == ("APPROVED", None)


def rows(stack: RunningStack) -> int:
    counts = [stack.sql(f"select count(*) as n from {schema}.{table}")[0]["n"] for schema, tables in TABLES.items() for table in tables]
    return sum(map(int, counts))


def records(stack: RunningStack) -> dict[tuple[str, int], int]:
    """The number of records in each partition."""
    consumer = Consumer({**stack.kafka_client, "group.id": "counting"})
    try:
        topics = [topic for name, topic in consumer.list_topics(timeout=30).topics.items() if not name.startswith("__")]
        places = [TopicPartition(topic.topic, partition) for topic in topics for partition in topic.partitions]
        bounds = {(p.topic, p.partition): consumer.get_watermark_offsets(p, timeout=30) for p in places}
        return {place: end - first for place, (first, end) in bounds.items()}
    finally:
        consumer.close()


@pytest.mark.both_runtimes
def test_nothing_of_before_remains(stack: RunningStack) -> None:
    stack.sql("flush binary logs")
    some_history(stack)
    stack.sql("create table order_db.a_lab_made_it (id int)")
    stack.sql("insert into order_db.a_lab_made_it values (1)")
    assert rows(stack) > 0
    assert sum(records(stack).values()) > 0
    begun = time.monotonic()

    stack.labkit("reset", "--yes")

    assert {"relay", "customers", "orders", "order-history"} == stack.begun_since(begun)
    assert rows(stack) == 0
    assert stack.sql("select * from order_db.a_lab_made_it") == []
    stack.sql("drop table order_db.a_lab_made_it")
    left = records(stack)
    assert len(left) >= 8
    assert not any(left.values())
    assert stack.redis.smembers("customerviews") == set()

    # The mark records the ends of the logs.
    mark = json.loads((stack.labkit.directory / "mark.json").read_text())
    assert list(mark) == ["time", "binlog", "kafka", "ledger"]
    *before, last = [log["Log_name"] for log in stack.sql("show binary logs")]
    assert last == mark["binlog"]["file"]
    assert len(before) <= 1  # a server keeps for a while what it needs after a crash
    topics = [topic for topic in mark["kafka"] if topic.endswith(("domain.Order", "domain.Customer"))]
    assert len(topics) == 2
    assert all(len(mark["kafka"][topic]) == 4 and sum(mark["kafka"][topic]) > 0 for topic in topics)

    # Deleted records do not return when Kafka is killed, although it saves the start of each partition only at intervals.
    stack.runtime.kill(["kafka"])
    stack.labkit("up")
    assert sum(records(stack).values()) == 0
    some_history(stack)


@pytest.mark.both_runtimes
def test_an_interrupted_reset_is_finished_by_up(stack: RunningStack) -> None:
    some_history(stack)
    with stack.transaction() as cursor:
        cursor.execute("select * from order_db.orders")  # the reset cannot finish: a table in use cannot be emptied
        with stack.labkit.begin("reset", "--yes") as resetting:
            wait_until((stack.labkit.directory / "reset.json").exists, "the reset has begun")
            resetting.kill()
    assert "The reset that was interrupted is finished" in stack.labkit("up").stdout
    assert rows(stack) == 0
    some_history(stack)


def test_a_stack_that_is_down_is_brought_up_empty(stack: RunningStack) -> None:
    some_history(stack)
    stack.labkit("down")
    assert "ready in" in stack.labkit("reset", "--data", "--yes").stdout
    again = RunningStack(stack.labkit)  # another process may have taken a port meanwhile
    assert rows(again) == 0
    assert not any(records(again).values())
    some_history(again)


@pytest.mark.both_runtimes
def test_tables_and_columns_that_somebody_removed_are_there_again(stack: RunningStack) -> None:
    stack.sql("alter table order_db.orders change state status varchar(20)")
    stack.sql("drop table order_db.message")
    stack.sql("rename table customer_db.received_messages to customer_db.inbox")
    try:
        done = stack.labkit("verify", ok=False)
        assert done.returncode == 2, done.stdout
        assert "; labkit reset creates it again" in done.stdout
        stack.labkit("reset", "--yes")
        some_history(stack)
    finally:
        stack.sql("drop table customer_db.inbox")
        stack.sql("alter table order_db.orders drop status")
