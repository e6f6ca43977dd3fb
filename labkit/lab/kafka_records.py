"""All records that Kafka holds of a topic, without any group hearing of it."""

from typing import TYPE_CHECKING

from labkit.lab.check import NotJudged

if TYPE_CHECKING:
    from confluent_kafka import Consumer

ANSWER_S = 5.0


def read_records(bootstrap: str, topic: str) -> list[bytes]:
    """The values of all records from the log's start to its end at the time of the call. Raises NotJudged."""
    from confluent_kafka import Consumer, KafkaException

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "labkit", "enable.auto.commit": False, "log_level": 2})
    try:
        return _read(consumer, topic)
    except KafkaException as error:
        raise NotJudged(f"Kafka does not answer: {error.args[0].str()}.", next_step="labkit status") from error
    finally:
        consumer.close()


def _read(consumer: "Consumer", topic: str) -> list[bytes]:
    from confluent_kafka import KafkaException, TopicPartition

    places = [TopicPartition(topic, p) for p in consumer.list_topics(topic, timeout=ANSWER_S).topics[topic].partitions]
    unread: dict[int, int] = {}
    for place in places:
        place.offset, end = consumer.get_watermark_offsets(place, timeout=ANSWER_S)
        if place.offset < end:
            unread[place.partition] = end
    consumer.assign([place for place in places if place.partition in unread])
    values: list[bytes] = []
    while unread:
        first = consumer.poll(ANSWER_S)
        if first is None:
            raise NotJudged(f"Kafka gave no further record of {topic} within {ANSWER_S:.0f} s.", next_step="labkit status")
        for message in [first, *consumer.consume(500, 0)]:
            if (error := message.error()) is not None:
                raise KafkaException(error)
            partition, offset, value = message.partition(), message.offset(), message.value()
            if isinstance(value, bytes):
                values.append(value)
            if partition is not None and offset is not None and offset + 1 >= unread.get(partition, 0):
                unread.pop(partition, None)
    return values
