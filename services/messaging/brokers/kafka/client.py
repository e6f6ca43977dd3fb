"""What all Kafka clients share: settings, time limits, and the meaning of errors."""

from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException

from services.messaging.brokers import BrokerUnavailable, RecordRefused

ANSWER_TIMEOUT_S = 5.0
SILENT_MS = 6_000  # a restored network may have lost an answer; by default the client would wait a minute for it
METADATA_MS = 1_000  # how long new partitions and topics stay unnoticed
REFUSALS = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.TOPIC_EXCEPTION, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD}


class KafkaSettings(msgspec.Struct, frozen=True):
    """The broker's address and the account on it. A broker without accounts needs no password."""

    bootstrap: str
    username: str | None = None
    password: str | None = None

    def client(self) -> dict[str, Any]:
        """The settings in the form that Kafka's client expects."""
        address = {"bootstrap.servers": self.bootstrap}
        if self.password is None:
            return address
        login = {"sasl.username": self.username or "", "sasl.password": self.password}
        return {**address, "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", **login}

    def quick_client(self, instance: str) -> dict[str, Any]:
        """Settings for a client that notices changes within seconds."""
        return {
            **self.client(),
            "client.id": instance,
            "log_level": 2,
            "socket.nagle.disable": True,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
            "retry.backoff.ms": 50,
            "socket.timeout.ms": SILENT_MS,
            "topic.metadata.refresh.interval.ms": METADATA_MS,
        }


def failure(error: Any) -> Exception:
    """Returns RecordRefused or BrokerUnavailable for a KafkaError or an exception that carries one."""
    if isinstance(error, KafkaException):
        error = error.args[0]
    return RecordRefused(str(error)) if error.code() in REFUSALS else BrokerUnavailable(str(error))
