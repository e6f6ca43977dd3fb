"""I12: a change is announced once, in its own transaction."""

from typing import Any

from labkit.invariants.model import TRACE_MESSAGE, Anomaly, Details, Invariant
from labkit.invariants.wording import SHOWN, at, kind, outbox, table
from labkit.trace.tables import EvidenceTables

STATES = {"order approved": "APPROVED", "order rejected": "REJECTED", "order cancelled": "CANCELLED"}


def _details(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    event, order_id, customer_id = row["event"], row["order_id"], row["customer_id"]
    name, never = "orders", "there is no such order"
    match row["announces"]:
        case "customer stored":
            name, what, never = "customers", f"customer {customer_id} was stored", "there is no such customer"
        case "credit reserved":
            name, what = "reservations", f"credit was reserved for order {order_id}"
        case "order stored":
            what = f"order {order_id} was stored"
        case change:
            what, never = f"order {order_id} became {STATES[change]}", f"order {order_id} never became {STATES[change]}"
    place = table(tables, name)
    facts = [(what, at(place, tables.commit(row["change_commit"])))] if row["change_commit"] is not None else [(never, place)]
    commit = tables.commit(row["commit_no"])
    facts += [(f"{event} {an_id} was written", at(outbox(row["schema_name"]), commit)) for an_id in row["message_ids"][:SHOWN]]
    return Details({"what": what, "never": never, "message": kind(tables, event)}, facts)


RULE = Invariant(
    "Written once, with the change",
    "A message that announces a change is written once, in the transaction of that change.",
    needs=("binlog",),
    over_time=True,
    details=_details,
    anomalies={
        "twice": Anomaly(
            "{Event} of {subject} was published {messages} times, as {messages} messages, and {what} once.",
            "the messages have different ids, so no subscriber can recognise the second as a copy: "
            "{sender} must publish {event} once, where it makes the change.",
            TRACE_MESSAGE,
        ),
        "apart": Anomaly(
            "{What} in one transaction, and {event} of {subject} was written in another.",
            "a crash between the two leaves the change without its {message}, or the {message} without its change: "
            "the two belong in one transaction.",
            TRACE_MESSAGE,
        ),
        "again": Anomaly(
            "{Event} of {subject} was published again, in a transaction without such a change: {what} before.",
            "{sender} publishes {event} without checking for a change to announce: it belongs to the change, and to nothing else.",
            TRACE_MESSAGE,
        ),
        "untrue": Anomaly(
            "{Event} of {subject} was published, but the change that it announces was never made: {never}.",
            "{sender} wrote {event} without that change, and made the change in no other transaction either.",
            TRACE_MESSAGE,
        ),
    },
)
