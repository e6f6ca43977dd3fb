"""I8: an order changes its state only as its life cycle allows."""

from typing import Any

from labkit.invariants.model import Anomaly, Details, Invariant
from labkit.invariants.wording import at, inbox, subscriber_of, table
from labkit.trace.tables import EvidenceTables


def _details(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    order_id, orders = row["order_id"], table(tables, "orders")
    steps = tables.rows(
        "SELECT commit_no, state_before, state_after FROM order_steps WHERE order_id = ? AND state_before IS "
        "DISTINCT FROM state_after ORDER BY commit_no, change_no",
        order_id,
    )
    facts = [
        (f"order {order_id} was {before}" if after is None else f"order {order_id} became {after}", at(orders, tables.commit(commit_no)))
        for commit_no, before, after in steps
        if commit_no <= row["commit_no"]
    ]
    for event, subscriber in tables.rows(
        "SELECT event, subscriber FROM inbox_inserts WHERE commit_no = ? AND order_id = ?", row["commit_no"], order_id
    ):
        service, schema = subscriber_of(tables, subscriber)
        facts.append((f"{service} received {event} in that transaction", f"{inbox(schema)}, {subscriber}"))
    return Details({}, facts)


RULE = Invariant(
    "Legal transitions",
    "An order starts as PENDING, becomes APPROVED or REJECTED once, and only an APPROVED one becomes CANCELLED.",
    needs=("binlog",),
    over_time=True,
    details=_details,
    anomalies={
        "illegal": Anomaly(
            "{Order} of {customer} went from {state_before} to {state_after}, which is not a legal transition.",
            "orders wrote the new state without checking the old one.",
        ),
        "born": Anomaly(
            "{Order} of {customer} was stored as {state_after}; every order starts as PENDING.",
            "orders decided about an order before customers had {answered}.",
        ),
        "removed": Anomaly(
            "{Order} of {customer} was {state_before}, and its row was deleted.", "an order ends in a state; its row stays."
        ),
    },
)
