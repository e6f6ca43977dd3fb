"""Messages that a subscriber gave up in this run, though no fault planted them: a failure of its own, shown before what follows from it."""

from typing import Any

from labkit.invariants.witness import Fact
from labkit.judging.finding import Finding
from labkit.story.model import SCHEMA_OF, SERVICE_OF, last_line
from labkit.story.tables import Tables

TRACEBACK_LINES = 12
_PARKED = """
SELECT d.subscriber, d.topic, d.partition_no, d.offset_no, d.message_id, d.cause, d.store, r.event, r.order_id, r.customer_id
FROM dead_letters d
LEFT JOIN (SELECT DISTINCT topic, partition_no, offset_no, message_index, event, order_id, customer_id FROM records) r
  ON r.topic = d.topic AND r.partition_no = d.partition_no AND r.offset_no = d.offset_no AND r.message_index = coalesce(d.message_index, 0)
WHERE (own_order(r.order_id) OR own_customer(r.customer_id) OR (r.order_id IS NULL AND r.customer_id IS NULL))
  AND NOT EXISTS (FROM planted_records p WHERE p.topic = d.topic AND p.partition_no = d.partition_no AND p.offset_no = d.offset_no)
  AND NOT EXISTS (FROM fault_hits h WHERE h.message_id = d.message_id)
ORDER BY d.subscriber, d.parked, d.topic, d.partition_no, d.offset_no, d.message_index
"""


def parked_findings(connection: Any) -> tuple[Finding, ...]:
    """One for each subscriber and exception."""
    groups: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for row in connection.execute(_PARKED).fetchall():
        groups.setdefault((row[0], last_line(row[5])), []).append(row)
    tables = Tables(connection)
    return tuple(_finding(tables, subscriber, exception, rows) for (subscriber, exception), rows in groups.items())


def _finding(tables: Tables, subscriber: str, exception: str, rows: list[tuple[Any, ...]]) -> Finding:
    _, topic, partition, offset, message_id, cause, store, event, order_id, customer_id = rows[0]
    service = SERVICE_OF.get(subscriber, subscriber)
    about = f"order {order_id}" if order_id is not None else tables.customer(customer_id) if customer_id is not None else None
    what = f"{event or 'a message'} of {about}" if about else "a record that it could not read"
    place = f"{topic.rpartition('.')[2]}, partition {partition}, offset {offset}"
    where = f"{SCHEMA_OF.get(subscriber)}.dead_letter" if store == "mysql" else f"Redis, deadletter:{subscriber}"
    others = len(rows) - 1
    more = f", and {others} more for the same reason" if others else ""
    waiting = tables.row("SELECT state FROM all_orders WHERE id = ?", order_id) if order_id is not None else None
    facts = [Fact(f"{event or 'the record'} is in Kafka", place), Fact(f"{service} gave it up: {exception}", where)]
    if waiting:
        facts.append(Fact(f"order {order_id} is {waiting[0]}", "order_db.orders"))
    return Finding(
        "parked",
        True,
        "A message was given up",
        f"{service} gave up {what} and parked it{more}: {exception}",
        tuple(facts),
        f"what {service} does about {event} raised each time it was tried."
        if event
        else f"{service} got bytes that are no message: who wrote them to the topic?",
        f"labkit trace message {message_id}" if message_id else f"labkit logs {service}",
        len(rows),
        tuple(sorted({row[8] for row in rows if row[8] is not None})),
        tuple(cause.strip().splitlines()[-TRACEBACK_LINES:]),
    )
