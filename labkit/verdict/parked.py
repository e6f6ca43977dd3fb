"""Messages that a subscriber gave up in this run and no fault planted. Each is a failure of its own, shown before its consequences."""

import re
from collections.abc import Iterator
from typing import Any

from labkit.explanation import Fact
from labkit.invariants import wording
from labkit.system import messaging
from labkit.trace.model import last_line
from labkit.trace.payload import UNREADABLE, published_wrongly
from labkit.trace.tables import EvidenceTables
from labkit.verdict.finding import Finding, traceback_of

KINDS = 3  # causes of one subscriber that are shown separately
OTHERS = "other causes"
_PARKED = """
SELECT d.subscriber, d.topic, d.partition_no, d.offset_no, d.message_id, d.cause, d.schema_name, r.event, r.order_id, r.customer_id
FROM dead_letters d
LEFT JOIN (SELECT DISTINCT topic, partition_no, offset_no, message_index, event, order_id, customer_id FROM records) r
  ON r.topic = d.topic AND r.partition_no = d.partition_no AND r.offset_no = d.offset_no AND r.message_index = coalesce(d.message_index, 0)
WHERE (own_order(r.order_id) OR own_customer(r.customer_id) OR (r.order_id IS NULL AND r.customer_id IS NULL))
  AND NOT EXISTS (FROM planted_records p WHERE p.topic = d.topic AND p.partition_no = d.partition_no AND p.offset_no = d.offset_no)
  AND NOT EXISTS (FROM fault_hits h WHERE h.message_id = d.message_id)
ORDER BY d.subscriber, d.parked, d.topic, d.partition_no, d.offset_no, d.message_index
"""


def parked_findings(connection: Any) -> tuple[Finding, ...]:
    """Return one finding for each subscriber and kind of cause."""
    groups: dict[str, dict[str, list[tuple[Any, ...]]]] = {}
    for row in connection.execute(_PARKED).fetchall():
        groups.setdefault(row[0], {}).setdefault(kind_of(last_line(row[5])), []).append(row)
    tables = EvidenceTables(connection)
    return tuple(_finding(tables, subscriber, kind, rows) for subscriber, kinds in groups.items() for kind, rows in _told(kinds))


_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_NUMBER = re.compile(r"0x[0-9a-f]+|[0-9][0-9,.]*|\b(?=[0-9a-f-]*[0-9])[0-9a-f-]{8,}\b")


def kind_of(cause: str) -> str:
    """Return the part of a cause that does not depend on a place, an id or an amount."""
    return _NUMBER.sub("…", _QUOTED.sub("…", cause))


def _told(kinds: dict[str, list[tuple[Any, ...]]]) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """Yield the most frequent kinds in order of occurrence, then the others together."""
    frequent = sorted(kinds, key=lambda kind: -len(kinds[kind]))[:KINDS]
    yield from ((kind, rows) for kind, rows in kinds.items() if kind in frequent)
    if rest := [row for kind, rows in kinds.items() if kind not in frequent for row in rows]:
        yield OTHERS, rest


def _finding(tables: EvidenceTables, subscriber: str, kind: str, rows: list[tuple[Any, ...]]) -> Finding:
    _, topic, _, _, message_id, cause, schema, event, order_id, customer_id = rows[0]
    exception = last_line(cause)
    service, _ = wording.subscriber_of(tables, subscriber)
    about = f"order {order_id}" if order_id is not None else tables.customer(customer_id) if customer_id is not None else None
    what = f"{event or 'a message'} of {about}" if about else event or "a record that it could not read"
    place = _place(rows[0])
    where = f"{schema}.{messaging.DEAD_LETTERS}" if schema else f"{wording.view_store(tables)}, deadletter:{subscriber}"
    others = len(rows) - 1
    why = f"{others:,} more for {OTHERS}" if kind == OTHERS else f"{others:,} more for the same reason"
    more = f", and {why}" if others else ""
    waiting = tables.row("SELECT state FROM all_orders WHERE id = ?", order_id) if order_id is not None else None
    facts = [Fact(f"{event or 'the record'} is in {wording.broker(tables)}", place), Fact(f"{service} gave it up: {exception}", where)]
    if others:
        facts.append(Fact(f"the last of these {len(rows):,} is {rows[-1][7] or 'a record'}: {last_line(rows[-1][5])}", _place(rows[-1])))
    if waiting:
        facts.append(Fact(f"order {order_id} is {waiting[0]}", wording.table(tables, "orders")))
    sentence = f"{service} gave up {what} and parked it{more}: {exception}"
    if fault := published_wrongly(tables, message_id, exception):
        publisher, wrong, payload = fault
        sentence = f"{publisher} published {what} {wrong}, and {service} gave it up and parked it{more}: {exception}"
        facts.insert(0, Fact(f"its payload is {payload}", f"the outbox of {publisher}"))
    return Finding(
        kind="parked",
        is_failure=True,
        title="A message was given up",
        sentence=sentence,
        because=tuple(facts),
        so=_so(tables, service, event, topic, message_id, exception),
        next_step=f"labkit trace message {message_id}" if message_id else f"labkit logs {service}",
        count=len(rows),
        orders=tuple(sorted({row[8] for row in rows if row[8] is not None})),
        traceback=traceback_of(cause),
    )


def _place(row: tuple[Any, ...]) -> str:
    return f"{row[1].rpartition('.')[2]}, partition {row[2]}, offset {row[3]}"


def _so(tables: EvidenceTables, service: str, event: str | None, topic: str, message_id: str | None, exception: str) -> str:
    if event is not None and not exception.startswith(UNREADABLE):
        return f"handling {event} in {service} raised an exception on each try."
    if message_id is None:
        return f"{service} received bytes that are not a message: who wrote them to the topic?"
    published = tables.row("SELECT schema_name FROM outbox WHERE id = ?", message_id)
    if published is None:
        return f"it is in no outbox, so no service published it: who wrote it to the topic {topic.rpartition('.')[2]}?"
    publisher = wording.component(tables, published[0]) or published[0]
    return f"{publisher} published it like that; {service} is right to give it up. Look at how {publisher} builds {event or 'its events'}."
