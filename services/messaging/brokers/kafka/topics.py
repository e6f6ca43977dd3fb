"""Create topics, and distinguish a topic from an earlier one of the same name. Kafka's admin client is imported only when needed."""

from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException

from services.messaging.brokers.kafka.client import ANSWER_TIMEOUT_S, KafkaSettings


def create(settings: KafkaSettings, names: Sequence[str], partitions: int) -> None:
    """Create these topics. A topic that another service has created meanwhile is not an error. Raises KafkaException."""
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

    admin = AdminClient({**settings.client(), "log_level": 0})
    new = [NewTopic(name, num_partitions=partitions, replication_factor=1) for name in names]
    for result in admin.create_topics(new, operation_timeout=ANSWER_TIMEOUT_S).values():
        try:
            result.result(ANSWER_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def identities(settings: KafkaSettings, names: Sequence[str]) -> dict[str, str]:
    """Returns the id of each topic by its name. Raises KafkaException."""
    from confluent_kafka import TopicCollection
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({**settings.client(), "log_level": 0})
    described = admin.describe_topics(TopicCollection(list(names)), request_timeout=ANSWER_TIMEOUT_S)
    return {name: str(found.result(ANSWER_TIMEOUT_S).topic_id) for name, found in described.items()}
