"""The inbox of the idempotent consumer: records which messages a subscriber has processed, in the transaction of their effect.

https://microservices.io/patterns/communication-style/idempotent-consumer.html
"""

import time
from collections.abc import Sequence

from services.messaging.database import Transaction


class ReceivedBefore(Exception):
    """An earlier transaction has processed at least one of the messages. Raised before any of them has an effect."""


def receive(tx: Transaction, subscriber: str, message_ids: Sequence[str]) -> None:
    """Record that this subscriber receives these messages for the first time. Use `receive_again` for messages that may be known.

    The transaction raises ReceivedBefore when one of them is not new. While a concurrent transaction holds one of them, this one waits for
    its outcome.
    """
    receive_again(tx, subscriber, message_ids)
    tx.expect(len(message_ids), ReceivedBefore(subscriber))


def receive_again(tx: Transaction, subscriber: str, message_ids: Sequence[str]) -> None:
    """Record these messages as received, whether or not they are new. For messages that have no effect."""
    now = time.time_ns() // 1_000_000
    rows = ", ".join(["(%s, %s, %s)"] * len(message_ids))
    values = [value for message_id in message_ids for value in (subscriber, message_id, now)]
    tx.write(f"INSERT IGNORE INTO received_messages (consumer_id, message_id, creation_time) VALUES {rows}", *values)
