"""Records on the real broker equal those of a Java relay."""

import asyncio
import json
from collections.abc import Collection

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from services.messaging.brokers import BrokerUnavailable, OutgoingRecord
from services.messaging.brokers.kafka import Kafka, KafkaSettings
from tests.e2e.shop import ORDER_CHANNEL, new_customer, new_order, settled
from tests.running import RunningStack, wait_until

OF_2 = {"1": 1, "2": 0, "3": 1, "4": 1, "10": 0, "42": 0, "101": 0}
OF_3 = {"1": 0, "2": 2, "3": 2, "4": 1, "10": 1, "42": 1, "101": 2}


def read(stack: RunningStack, topic: str, keys: Collection[str], count: int) -> list[tuple[int, bytes, bytes, object]]:
    """Returns at least `count` records of a topic with one of these keys, as (partition, key, value, headers)."""
    consumer = Consumer({**stack.kafka_client, "group.id": "reader", "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([topic])
    found: list[tuple[int, bytes, bytes, object]] = []

    def enough() -> bool:
        for message in consumer.consume(1000, 0.2):
            if (key := message.key() or b"").decode() in keys:
                found.append((message.partition() or 0, key, message.value() or b"", message.headers()))
        return len(found) >= count

    try:
        wait_until(enough, f"{topic} has {count} records of {keys}")
    finally:
        consumer.close()
    return found


def test_keys_go_to_the_partitions_of_the_java_client(stack: RunningStack) -> None:
    admin = AdminClient(stack.kafka_client)
    topics = {"vectors-2": OF_2, "vectors-3": OF_3}
    made = admin.create_topics([NewTopic(topic, num_partitions=int(topic[-1]), replication_factor=1) for topic in topics])
    try:
        for result in made.values():
            result.result(30)

        at = stack.described.broker
        settings = KafkaSettings(str(at), at.user, at.password)

        async def publish() -> None:
            publisher = await Kafka(settings, instance="vectors").publisher()
            try:
                await publisher.publish([OutgoingRecord(topic, key.encode(), b"x") for topic, keys in topics.items() for key in keys])
            finally:
                await publisher.close()

        def published() -> bool:
            try:
                asyncio.run(publish())
            except BrokerUnavailable:  # new partitions have no leader for a moment; the relay also retries
                return False
            return True

        wait_until(published, "the records are published")
        for topic, keys in topics.items():
            assert {key.decode(): partition for partition, key, _, _ in read(stack, topic, keys, len(keys))} == keys
    finally:
        for result in admin.delete_topics(list(topics)).values():
            result.result(30)


def test_an_order_leaves_the_records_of_the_specification(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "15.00")
    order = new_order(gateway, ada, "12.34")
    assert settled(gateway, order) == ("APPROVED", None)
    query = "select id, headers, payload from order_db.message where json_value(headers, '$.PARTITION_ID') = %s order by id"
    rows = stack.sql(query, str(order))
    records = read(stack, ORDER_CHANNEL, [str(order)], 2)
    details = f'{{"orderDetails":{{"customerId":{ada},"orderTotal":{{"amount":12.34}}}}}}'
    assert [row["payload"] for row in rows] == [details, details]
    for (_, _, value, kafka_headers), row, name in zip(records, rows, ("OrderCreatedEvent", "OrderApprovedEvent"), strict=True):
        headers = json.loads(row["headers"])
        assert json.loads(value) == {"payload": details, "headers": headers}
        assert kafka_headers is None
        assert headers == {
            "ID": row["id"],
            "PARTITION_ID": str(order),
            "DESTINATION": ORDER_CHANNEL,
            "DATE": headers["DATE"],
            "event-aggregate-type": ORDER_CHANNEL,
            "event-aggregate-id": str(order),
            "event-type": f"{ORDER_CHANNEL.rpartition('.')[0]}.{name}",
        }
