"""What an event must hold, and who is at fault when it does not: whoever published it, not whoever could not read it."""

import json
from decimal import Decimal
from typing import Any

from labkit.story.model import LANE_OF
from labkit.story.tables import Tables

UNREADABLE = ("the event ", "the message ", "the record ")  # how the services begin a cause that lies in what was published
SHOWN = 80  # characters of a payload in a message
_ANSWER: dict[str, type] = {"customerId": int, "orderId": int}
_ORDER: dict[str, type] = {"orderDetails.customerId": int, "orderDetails.orderTotal": Decimal}
FIELDS: dict[str, dict[str, type]] = {
    **dict.fromkeys(("OrderCreated", "OrderApproved", "OrderRejected", "OrderCancelled"), _ORDER),
    **dict.fromkeys(("CustomerCreditReserved", "CustomerCreditReservationFailed", "CustomerValidationFailed"), _ANSWER),
    "CustomerCreated": {"name": str, "creditLimit": Decimal},
}
_WORDS = {int: "a whole number", Decimal: "an amount", str: "a text"}


def published_wrongly(tables: Tables, message_id: str | None, cause: str) -> tuple[str, str, str] | None:
    """(who published it, what is wrong with it, its payload) of a message that was parked for this cause; None when it could be read, when
    it is in no outbox, or is as it must be."""
    if not cause.startswith(UNREADABLE):
        return None
    row = tables.row("SELECT schema_name, event, payload FROM outbox WHERE id = ?", message_id) if message_id else None
    if row is None or row[0] not in LANE_OF:
        return None
    schema, event, payload = row
    wrong = fault_of(event, payload or "")
    return (LANE_OF[schema], wrong, " ".join((payload or "").split())[:SHOWN]) if wrong else None


def fault_of(event: str | None, payload: str) -> str | None:
    """`without orderDetails.customerId`, `with name = 4, which is not a text`; None for what is as it must be, and for other events."""
    wanted = FIELDS.get(event or "")
    if wanted is None:
        return None
    try:
        found = json.loads(payload, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return "with a payload that is not JSON"
    for field, kind in wanted.items():
        value: Any = found
        for name in field.split("."):
            if not isinstance(value, dict) or name not in value:
                return f"without {field}"
            value = value[name]
        if kind is Decimal:
            value = value.get("amount") if isinstance(value, dict) else value
            value = Decimal(value) if isinstance(value, str) and value.replace(".", "", 1).isdigit() else value
        if isinstance(value, bool) or not isinstance(value, (int, Decimal) if kind is Decimal else kind):
            return f"with {field} = {json.dumps(value, default=str)[:SHOWN]}, which is not {_WORDS[kind]}"
    return None
