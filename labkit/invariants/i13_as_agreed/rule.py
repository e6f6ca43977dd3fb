"""I13: each message says what is agreed for its type."""

from typing import Any

from labkit.invariants.model import TRACE_MESSAGE, Anomaly, Details, Invariant
from labkit.invariants.wording import outbox, table
from labkit.trace.tables import EvidenceTables


def _details(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    place = outbox(row["schema_name"])
    has_key = "has no key" if row["key"] is None else f"has the key {row['key']}"
    match row["kind"]:
        case "customer":
            said, held = f"names customer {row['customer_id']}", f"order {row['order_id']} is of customer {row['orders_customer']}"
        case "total":
            said, held = f"names a total of {row['total']}", f"the total of order {row['order_id']} is {row['orders_total']}"
        case "key":
            said, held = has_key, f"it is about the aggregate {row['aggregate_id']}"
        case _:
            said, held = f"is on the channel {row['place']}", f"messages of this type belong on {row['agreed_channel']}"
    source = table(tables, "orders") if row["kind"] in ("customer", "total") else place
    return Details({"has_key": has_key}, [(f"{row['event']} {row['message_id']} {said}", place), (held, source)])


RULE = Invariant(
    "As agreed",
    "Each message names the customer and the total of its order, and has the key and the channel that are agreed for it.",
    needs=("tables",),
    wants=("binlog",),
    details=_details,
    anomalies={
        "customer": Anomaly(
            "{Event} of order {order_id} names customer {customer_id}, but the order is of customer {orders_customer}.",
            "whoever reads the customer in {event} is told the wrong one: with which id does {sender} make the message?",
            TRACE_MESSAGE,
        ),
        "total": Anomaly(
            "{Event} of order {order_id} names a total of {total}, but the total of the order is {orders_total}.",
            "whoever reads the total in {event} is told the wrong one: with which amount does {sender} make the message?",
            TRACE_MESSAGE,
        ),
        "key": Anomaly(
            "{Event} of {subject} {has_key}; it should be {aggregate_id}.",
            "messages with another key go to another partition: the order of the events of one aggregate is lost.",
            TRACE_MESSAGE,
        ),
        "channel": Anomaly(
            "{Event} of {subject} is on {place}; it belongs on {agreed_channel}.",
            "the subscribers of {agreed_channel} never get it.",
            TRACE_MESSAGE,
        ),
    },
)
