"""What is kept of a changed row: a line for the evidence from its images before and after."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labkit.evidence import messages
from labkit.evidence.table_files import number, optional, quoted
from labkit.stack.model import SCHEMAS

CHANGE_TABLES = ("order_changes", "customer_changes", "reservation_changes", "outbox_changes", "inbox_changes")

Values = tuple[Any, ...]
Line = Callable[[str, str, Values, Values], str]
"""(operation, schema, row before, row after) → the line of the change without commit and change number; no row is ()."""


@dataclass(frozen=True)
class Change:
    """How the rows of one table are kept."""

    table: str
    columns: tuple[str, ...]
    line: Line
    updates: bool = True


def _order(op: str, _: str, before: Values, after: Values) -> str:
    old, new = before or (None,) * 5, after or (None,) * 5
    row_id = old[0] if before else new[0]
    return f"{op},{number(row_id)},{_order_values(old)},{number(new[0])},{_order_values(new)}"


def _order_values(row: Values) -> str:
    _, customer_id, total, state, reason = row
    return f"{number(customer_id)},{total or ''},{state or ''},{'' if reason is None else REASONS.get(reason, reason)}"


REASONS = {0: "INSUFFICIENT_CREDIT", 1: "UNKNOWN_CUSTOMER"}


def _customer(op: str, _: str, before: Values, after: Values) -> str:
    old, new = before or (None,) * 3, after or (None,) * 3
    row_id = old[0] if before else new[0]
    return f"{op},{number(row_id)},{_text(old[1])},{old[2] or ''},{number(new[0])},{_text(new[1])},{new[2] or ''}"


def _reservation(op: str, _: str, before: Values, after: Values) -> str:
    old, new = before or (None,) * 3, after or (None,) * 3
    return f"{op},{number(old[0])},{number(old[1])},{old[2] or ''},{number(new[0])},{number(new[1])},{new[2] or ''}"


def _outbox(op: str, schema: str, before: Values, after: Values) -> str:
    message_id, destination, headers, payload = before or after
    about = messages.about(headers or b"", payload or b"")
    topic = (destination or b"").decode(errors="replace")
    return (
        f"{op},{schema},{_text(message_id)},{quoted(topic)},{quoted(messages.channel(topic))},{optional(about.event)},"
        f"{number(about.aggregate_id)},{number(about.order_id)},{number(about.customer_id)},{optional(about.key)}"
    )


def _inbox(op: str, schema: str, before: Values, after: Values) -> str:
    subscriber, message_id = before or after
    return f"{op},{schema},{_text(subscriber)},{_text(message_id)}"


def _text(value: bytes | None) -> str:
    return "" if value is None else quoted(value.decode(errors="replace"))


_MESSAGE = Change("outbox_changes", ("id", "destination", "headers", "payload"), _outbox, updates=False)
_RECEIVED = Change("inbox_changes", ("consumer_id", "message_id"), _inbox, updates=False)
WANTED = {
    ("order_db", "orders"): Change("order_changes", ("id", "customer_id", "amount", "state", "rejection_reason"), _order),
    ("customer_db", "customer"): Change("customer_changes", ("id", "name", "amount"), _customer),
    ("customer_db", "customer_credit_reservations"): Change(
        "reservation_changes", ("customer_id", "credit_reservations_key", "amount"), _reservation
    ),
    **{(schema, "message"): _MESSAGE for schema in SCHEMAS},
    **{(schema, "received_messages"): _RECEIVED for schema in SCHEMAS},
}
