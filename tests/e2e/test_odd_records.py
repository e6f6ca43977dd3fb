"""Records that are well-formed but unusual: very large ones, ids with minimal differences, batches that cannot be decompressed."""

import json
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.e2e.shop import ORDER_CHANNEL, eventually, new_customer, new_order, settled
from tests.e2e.test_bad_records import parked_by_the_view, parked_in_sql
from tests.running import RunningStack

IDS = [("V1StGXR8_Z5jdHi6B-myT", "v1stgxr8_z5jdhi6b-myt"), ("pad", "pad "), ("e", "é"), ("né", "ne\u0301"), ("ß", "ss"), ("a\u00a0", "a ")]


@pytest.fixture
def emptied(stack: RunningStack) -> Iterator[None]:
    stack.labkit("reset", "--yes")
    yield
    stack.labkit("reset", "--yes")


def produce(stack: RunningStack, value: bytes, key: bytes, *, partition: int = 0, **settings: str | int) -> None:
    options = {name.replace("_", "."): setting for name, setting in settings.items()}
    producer = Producer({**stack.kafka_client, "message.max.bytes": 200_000_000, **options})
    producer.produce(ORDER_CHANNEL, value, key, partition=partition)
    assert producer.flush(60) == 0


def created(message_id: str, order: int, customer: int) -> bytes:
    names = {
        "ID": message_id,
        "event-aggregate-type": ORDER_CHANNEL,
        "event-type": f"{ORDER_CHANNEL.rpartition('.')[0]}.OrderCreatedEvent",
        "event-aggregate-id": str(order),
    }
    payload = f'{{"orderDetails":{{"customerId":{customer},"orderTotal":{{"amount":1}}}}}}'
    return json.dumps({"payload": payload, "headers": names}).encode()


def notices(stack: RunningStack) -> list[bytes]:
    """The records on the channel that announces what customers gave up."""
    topic = "OrderEventConsumer.dead-letter"
    consumer = Consumer({**stack.kafka_client, "group.id": "reader", "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        places = [TopicPartition(topic, partition) for partition in partitions]
        consumer.assign([TopicPartition(topic, p.partition, consumer.get_watermark_offsets(p)[0]) for p in places])
        return [m.value() or b"" for m in consumer.consume(100, 3)]
    finally:
        consumer.close()


@pytest.mark.usefixtures("emptied")
def test_odd_records_hold_up_nobody_and_are_told(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "1000.00")
    pids = stack.pids()
    produce(stack, b"\0" * 9_000_000, b"1", compression_type="gzip")
    produce(stack, b"x" * 900_000, b"k" * 50_000, partition=1)
    produce(stack, b"\0" * 120_000_000, b"1", partition=2, compression_type="zstd")  # more than a client decompresses
    for number, message_id in enumerate(one for pair in IDS for one in pair):
        produce(stack, created(message_id, 5_000 + number, ada), str(number).encode(), partition=number % 4)
    orders = [new_order(gateway, ada, "1.00") for _ in range(12)]
    assert {settled(gateway, order) for order in orders} == {("APPROVED", None)}
    # each id is distinct
    query = "select count(*) as n from customer_db.customer_credit_reservations where credit_reservations_key >= 5000"
    eventually(lambda: stack.sql(query)[0]["n"], 2 * len(IDS))
    # parked; the large records are cut, and the cause says so
    places = {(ORDER_CHANNEL, partition, 0, 0) for partition in (0, 1, 2)}
    eventually(lambda: len(parked_in_sql(stack, ORDER_CHANNEL)), len(places))
    rows = stack.sql("select cause, length(record_value) as n from customer_db.dead_letter order by channel_partition")
    assert [row["n"] for row in rows] == [1_000_000, 900_000, None]
    assert "the value has 9,000,000 bytes, these are the first 1,000,000" in rows[0]["cause"]
    assert "cannot be read" in rows[2]["cause"]
    eventually(lambda: len(parked_by_the_view(stack)), 3)
    # announced on the channel, in a record that the broker accepts
    eventually(lambda: {row["p"] for row in stack.sql("select published as p from customer_db.message")}, {1})
    told = [json.loads(json.loads(value)["payload"]) for value in notices(stack)]
    assert sorted(notice["valueSize"] or 0 for notice in told) == [0, 900_000, 9_000_000]
    assert all(notice["cut"] for notice in told if notice["valueSize"])
    assert stack.pids() == pids
    done = stack.labkit("verify", "--json", ok=False)
    assert done.returncode == 1, done.stderr
    assert {finding["kind"] for finding in json.loads(done.stdout)["findings"]} == {"parked"}
