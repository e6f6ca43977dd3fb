"""The inbox of the idempotent consumer: which messages a subscriber has taken, written in the transaction of their effect.

https://microservices.io/patterns/communication-style/idempotent-consumer.html
"""

import time
from collections.abc import Sequence

from services.messaging.database import Transaction


async def receive(tx: Transaction, subscriber: str, message_ids: Sequence[str]) -> int:
    """Note these messages as received by this subscriber. Returns how many of them are new to it.

    A concurrent transaction that holds one of them makes this one wait until that is decided.
    """
    now = time.time_ns() // 1_000_000
    rows = ", ".join(["(%s, %s, %s)"] * len(message_ids))
    values = [value for message_id in message_ids for value in (subscriber, message_id, now)]
    return await tx.run(f"INSERT IGNORE INTO received_messages (consumer_id, message_id, creation_time) VALUES {rows}", *values)
