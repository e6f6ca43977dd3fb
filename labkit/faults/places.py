"""Positions on Kafka and in the stores, read from outside: how far a group has come, where a partition begins and ends."""

import time
from typing import Any

from labkit.errors import UserError
from labkit.faults.targets import channel
from labkit.stack import sql, stores
from labkit.stack.model import Stack
from labkit.system.model import Subscription

ANSWER_S = 5.0


def binlog_position(stack: Stack) -> dict[str, object] | None:
    """None when MySQL does not answer."""
    try:
        with sql.connected(stack.mysql, 2.0) as cursor:
            return sql.binlog_position(cursor)
    except OSError:
        return None


def bounds(stack: Stack, topic: str, partition: int) -> tuple[int, int]:
    """First offset and end. Raises UserError when Kafka does not answer or has no such partition."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    consumer = Consumer({**stack.kafka_client, "group.id": "labkit", "log_level": 2})
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=ANSWER_S)
        return low, high
    except KafkaException as error:
        raise UserError(f"Kafka does not tell of {topic}, partition {partition}: {error.args[0].str()}.", "labkit status") from error
    finally:
        consumer.close()


def partitions(stack: Stack, name: str) -> int:
    """How many there are, of a channel by its full or short name. Raises UserError."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    topic = channel(stack.profile, name)
    try:
        found = AdminClient({**stack.kafka_client, "log_level": 0}).list_topics(topic, timeout=ANSWER_S)
    except KafkaException as error:
        raise UserError(f"Kafka does not answer: {error.args[0].str()}.", "labkit status") from error
    return len(found.topics[topic].partitions)


def taken_up_to(stack: Stack, who: Subscription, topic: str, partition: int) -> int | None:
    """The position after the last record that this subscriber has done with, as it told its broker or store; None when it told none.
    Raises UserError when that cannot be asked."""
    if who.keeps_positions:
        return _position_in_redis(stack, who.subscriber, topic, partition)
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    consumer = Consumer({**stack.kafka_client, "group.id": who.subscriber, "log_level": 2})
    try:
        (place,) = consumer.committed([TopicPartition(topic, partition)], timeout=ANSWER_S)
        return int(place.offset) if place.offset >= 0 else None
    except KafkaException as error:
        raise UserError(f"Kafka does not tell how far {who.subscriber} is: {error.args[0].str()}.", "labkit status") from error
    finally:
        consumer.close()


def _position_in_redis(stack: Stack, subscriber: str, topic: str, partition: int) -> int | None:
    import redis

    client: Any = redis.Redis(host=stack.redis.host, port=stack.redis.port, password=stack.redis.password or None, socket_timeout=2.0)
    try:
        stored = client.hget(f"positions:{subscriber}", f"{topic}:{partition}")
    except redis.RedisError as error:
        raise UserError(f"Redis does not tell how far {subscriber} is: {error}.", "labkit status") from error
    finally:
        client.close()
    return None if stored is None else int(stored)


def redis_answers(stack: Stack) -> bool:
    try:
        return stores.ask_redis(stack.redis, "PING", timeout=1.0) == "+PONG"
    except OSError:
        return False


def delete_records(stack: Stack, topic: str, partition: int, before: int) -> int:
    """Returns where the partition starts now. Raises UserError."""
    from confluent_kafka import KafkaException, TopicPartition
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({**stack.kafka_client, "log_level": 0})
    try:
        (answer,) = admin.delete_records([TopicPartition(topic, partition, before)], request_timeout=ANSWER_S).values()
        return int(answer.result(ANSWER_S).low_watermark)
    except KafkaException as error:
        raise UserError(f"Kafka did not delete them: {error.args[0].str()}.", "labkit status") from error


def ensure_topic(stack: Stack, topic: str, count: int = 1) -> None:
    """Raises UserError."""
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

    admin = AdminClient({**stack.kafka_client, "log_level": 0})
    try:
        (made,) = admin.create_topics([NewTopic(topic, num_partitions=count, replication_factor=1)]).values()
        made.result(ANSWER_S)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise UserError(f"Kafka did not make {topic}: {error.args[0].str()}.", "labkit status") from error


def move_behind(stack: Stack, who: Subscription, topic: str, partition: int, offset: int) -> None:
    """Let a subscriber go on after this record, as if it had taken it: stop it, move it, start it. Raises UserError."""
    from labkit.faults import components

    components.stop(stack, who.component)
    try:
        if who.keeps_positions:
            stores.ask_redis(stack.redis, "HSET", f"positions:{who.subscriber}", f"{topic}:{partition}", str(offset + 1), timeout=ANSWER_S)
        else:
            _alter_offset(stack, who.subscriber, topic, partition, offset + 1)
    finally:
        components.start(stack, who.component)


def _alter_offset(stack: Stack, group: str, topic: str, partition: int, offset: int) -> None:
    """The broker refuses while it takes the group for alive: a static member is that until its session times out, 6 s."""
    from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({**stack.kafka_client, "log_level": 0})
    deadline = time.monotonic() + 15.0
    while True:
        try:
            wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, partition, offset)])
            (answer,) = admin.alter_consumer_group_offsets([wanted]).values()
            answer.result(ANSWER_S)
            return
        except KafkaException as error:
            if time.monotonic() > deadline:
                raise UserError(f"Kafka did not move {group}: {error.args[0].str()}.", "labkit status") from error
            time.sleep(0.2)
