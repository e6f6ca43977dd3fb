"""What a message's payload must contain. If it does not, the publisher is at fault, not the subscriber that could not read it."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from labkit.trace.tables import EvidenceTables

UNREADABLE = ("the event ", "the message ", "the record ")  # how a service's error starts when the published message is at fault
SHOWN = 80  # characters of a payload in a message
KINDS: dict[str, type] = {"number": int, "money": Decimal, "text": str}  # by the forms of message_fields
_WORDS = {int: "a whole number", Decimal: "an amount", str: "a string"}


def published_wrongly(tables: EvidenceTables, message_id: str | None, cause: str) -> tuple[str, str, str] | None:
    """Return (publisher, what is wrong, payload) for a message that was parked for this cause.

    None if the message could be read, is in no outbox, or has a correct payload.
    """
    if not cause.startswith(UNREADABLE):
        return None
    row = tables.row("SELECT schema_name, event, payload FROM outbox WHERE id = ?", message_id) if message_id else None
    if row is None:
        return None
    schema, event, payload = row
    publisher = tables.system.component(schema)
    wrong = fault_of(fields_of(tables, event), payload or "")
    return (publisher, wrong, " ".join((payload or "").split())[:SHOWN]) if publisher and wrong else None


def fields_of(tables: EvidenceTables, event: str | None) -> dict[str, str]:
    """Return the fields that the payload of this message type must have, each with its form."""
    return dict(tables.rows("SELECT field, form FROM message_fields WHERE event = ? ORDER BY rowid", event))


def fault_of(fields: Mapping[str, str], payload: str) -> str | None:
    """Return what is wrong with a payload, else None: `without orderDetails.customerId`, `with name = 4, which is not a string`."""
    if not fields:
        return None
    try:
        found = json.loads(payload, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return "with a payload that is not JSON"
    for field, form in fields.items():
        kind = KINDS[form]
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
