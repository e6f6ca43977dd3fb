"""The transactional outbox: messages are rows, written in the same transaction as the change they announce.

https://microservices.io/patterns/data/transactional-outbox.html
"""

import time
from typing import TYPE_CHECKING

from services.messaging.events import DomainEvent, event_headers, event_payload
from services.messaging.message import encode_headers, new_message

if TYPE_CHECKING:
    from services.messaging.database import Transaction
    from services.messaging.ids import IdGenerator

# One statement for each row: a relay that reads the binlog may look only at the first row of each statement.
INSERT = (
    "INSERT INTO message (id, destination, headers, payload, creation_time, published, message_partition)"
    " VALUES (%s, %s, %s, %s, ROUND(UNIX_TIMESTAMP(CURTIME(4)) * 1000), 0, NULL)"
)


def insert_event(tx: "Transaction", ids: "IdGenerator", event: DomainEvent) -> None:
    """Write an event to the outbox. All events of one aggregate share a partition, so they stay in order."""
    insert_message(tx, ids, event.aggregate_type, str(event.aggregate_id), event_headers(event), event_payload(event))


def insert_message(tx: "Transaction", ids: "IdGenerator", channel: str, partition_id: str, headers: dict[str, str], payload: str) -> None:
    message = new_message(ids.next(), channel, partition_id, headers, payload, now=time.time())
    tx.write(INSERT, message.id, channel, encode_headers(message.headers), payload)
    tx.note_message(message.id)
