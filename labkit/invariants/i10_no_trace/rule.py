"""I10: work that was rolled back leaves no message."""

from typing import Any

from labkit.invariants.model import TRACE_MESSAGE, Anomaly, Details, Invariant
from labkit.invariants.wording import kind, request, table
from labkit.trace.tables import EvidenceTables


def _details(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    is_order, order_id = row["kind"] == "no_order", row["order_id"]
    where = "in its outbox"
    if row["offset_no"] is not None:
        where = f"{row['channel']}, partition {row['partition_no']}, offset {row['offset_no']}"
    what = f"order {order_id}" if is_order else f"customer {row['customer_id']}"
    facts = [
        (f"{row['event']} of {what} exists", where),
        (f"there is no {what}, now or at any commit", table(tables, "orders" if is_order else "customers")),
    ]
    if is_order:
        held = tables.rows("SELECT customer_id, amount FROM reservations WHERE order_id = ?", order_id)
        place = table(tables, "reservations")
        facts += [(f"{amount} of the credit of {tables.customer(c)} is reserved for it", place) for c, amount in held]
    known, so = kind(tables, row["event"]), ""
    if known == "reply":
        command = request(tables)
        so = f"the command {command} was sent before the order was committed, and the order was rolled back: a reply cannot know that."
    return Details({"where": where, "message": known}, facts, so)


RULE = Invariant(
    "Rolled-back work leaves no trace",
    "Every message is about an order or a customer that exists.",
    needs=("tables", "records"),
    at_rest=True,
    rests_on={"binlog": frozenset({"no_order", "no_customer"})},
    details=_details,
    anomalies={
        "no_order": Anomaly(
            "{Event} is about order {order_id} ({where}), but there is no such order.",
            "the {message} was sent before the order was committed, and the order was rolled back: "
            "{message} and order belong in one transaction.",
            TRACE_MESSAGE,
        ),
        "no_customer": Anomaly(
            "{Event} is about customer {customer_id} ({where}), but there is no such customer.",
            "the {message} was sent before the customer was committed, and the customer was rolled back: "
            "{message} and customer belong in one transaction.",
            TRACE_MESSAGE,
        ),
    },
)
