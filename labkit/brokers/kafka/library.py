"""Kafka's client library: its login settings and its errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labkit.account import Account

READER = "labkit"  # the group of consumers that never join it and commit nothing, so the broker does not know it


def settings(account: Account) -> dict[str, Any]:
    found: dict[str, Any] = {"bootstrap.servers": str(account)}
    if account.password:
        login = {"sasl.username": account.user, "sasl.password": account.password}
        found |= {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", **login}
    return found


@contextmanager
def asked(failure: str) -> Iterator[None]:
    """Turn every error of the library into an OSError that starts with `failure`."""
    from confluent_kafka import KafkaException

    try:
        yield
    except KafkaException as error:
        raise OSError(f"{failure}: {error.args[0].str()}") from error
