"""The inbox of the idempotent consumer: which messages a subscriber has taken, written in the transaction of their effect.

https://microservices.io/patterns/communication-style/idempotent-consumer.html
"""

import time
from collections.abc import Sequence

from services.messaging.database import Transaction


class ReceivedBefore(Exception):
    """At least one of the messages was taken by an earlier transaction. Raised before anything is done about any of them."""


def receive(tx: Transaction, subscriber: str, message_ids: Sequence[str]) -> None:
    """Note these messages as received by this subscriber, for the first time: see `receive_again` for those that may be known.

    The transaction raises ReceivedBefore when one of them is not new. A concurrent transaction that holds one of them makes this one
    wait until that is decided.
    """
    receive_again(tx, subscriber, message_ids)
    tx.expect(len(message_ids), ReceivedBefore(subscriber))


def receive_again(tx: Transaction, subscriber: str, message_ids: Sequence[str]) -> None:
    """Note these messages as received, whether they were or not: for messages that have no effect."""
    now = time.time_ns() // 1_000_000
    rows = ", ".join(["(%s, %s, %s)"] * len(message_ids))
    values = [value for message_id in message_ids for value in (subscriber, message_id, now)]
    tx.write(f"INSERT IGNORE INTO received_messages (consumer_id, message_id, creation_time) VALUES {rows}", *values)
