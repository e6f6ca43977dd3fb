"""What is kept of a changed row: a line for the evidence from its images before and after."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labkit.evidence import messages
from labkit.evidence.table_files import number, optional, quoted
from labkit.stack.model import SCHEMAS

CHANGE_TABLES = ("order_changes", "customer_changes", "reservation_changes", "outbox_changes", "inbox_changes")

Values = tuple[Any, ...]
Line = Callable[[str, Values, Values], str]
"""(schema, row before, row after) → the line of the change without its number and operation; no row is (). Values are fields of
a line already, empty for NULL, but for `raw` ones, which are bytes or None."""


@dataclass(frozen=True)
class Change:
    """How the rows of one table are kept."""

    table: str
    columns: tuple[str, ...]
    line: Line
    updates: bool = True
    raw: frozenset[str] = frozenset()


def _order(_: str, before: Values, after: Values) -> str:
    old, new = before or _NONE, after or _NONE
    return f"{old[0] if before else new[0]},{_order_values(old)},{new[0]},{_order_values(new)}"


def _order_values(row: Values) -> str:
    _, customer_id, total, state, reason = row
    return f"{customer_id},{total},{state},{REASONS.get(reason, reason)}"


_NONE = ("",) * 5
_REASONS = ("INSUFFICIENT_CREDIT", "UNKNOWN_CUSTOMER")
REASONS = {written: reason for number, reason in enumerate(_REASONS) for written in (number, str(number), quoted(str(number)))}


def _customer(_: str, before: Values, after: Values) -> str:
    old, new = before or _NONE, after or _NONE
    return f"{old[0] if before else new[0]},{old[1]},{old[2]},{new[0]},{new[1]},{new[2]}"


def _reservation(_: str, before: Values, after: Values) -> str:
    old, new = before or _NONE, after or _NONE
    return f"{old[0]},{old[1]},{old[2]},{new[0]},{new[1]},{new[2]}"


def _outbox(schema: str, before: Values, after: Values) -> str:
    message_id, destination, headers, payload = before or after
    about = messages.about(headers or b"", payload or b"")
    topic = (destination or b"").decode(errors="replace")
    return (
        f"{schema},{message_id},{quoted(topic)},{quoted(messages.channel(topic))},{optional(about.event)},"
        f"{number(about.aggregate_id)},{number(about.order_id)},{number(about.customer_id)},{optional(about.key)}"
    )


def _inbox(schema: str, before: Values, after: Values) -> str:
    subscriber, message_id = before or after
    return f"{schema},{subscriber},{message_id}"


_BODY = frozenset({"destination", "headers", "payload"})
_MESSAGE = Change("outbox_changes", ("id", *sorted(_BODY)), _outbox, updates=False, raw=_BODY)
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
