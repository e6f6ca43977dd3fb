"""I7: the view shows what the services' tables hold."""

from typing import Any

from labkit.invariants.model import TRACE_CUSTOMER, Anomaly, Details, Invariant
from labkit.invariants.wording import announcing, table, view_store
from labkit.trace.model import facts_of
from labkit.trace.order import story_of
from labkit.trace.tables import EvidenceTables

CHANGES = {"APPROVED": "order approved", "REJECTED": "order rejected", "CANCELLED": "order cancelled"}


def _details(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    customer_id, order_id, kind = row["customer_id"], row["order_id"], row["kind"]
    if kind == "expires":
        return Details({"store": view_store(tables)}, [(f"{row['expected']} has a time to live of {row['found']}", view_store(tables))])
    key = f"{view_store(tables)}, customerview:{customer_id}"
    fields = {"source": announcing(tables, "customer stored")}
    if order_id is None or kind in ("extra_order", "total"):
        owner = table(tables, "orders" if order_id is not None else "customers")
        return Details(fields, [(f"the owner holds {row['expected']}", owner), (f"the view holds {row['found']}", key)])
    story = story_of(tables.connection, order_id)
    event = announcing(tables, CHANGES.get(row["expected"], "order stored"))
    hops = [h for h in story.of(event) if h.key in ("state", "broker", "relay")] or [h for h in story.hops if h.key == "row"]
    facts = [*facts_of(hops), (f"the view holds {row['found']} for order {order_id}", key)]
    missing = any(h.key == "view" and h.mark.value == "✗" for h in story.hops)
    so = story.diagnosis.text if story.diagnosis and missing else f"order-history does not show what {event} says."
    return Details(fields, facts, so)


RULE = Invariant(
    "View",
    "The order history shows each customer as the owners' tables hold them.",
    needs=("tables", "view"),
    at_rest=True,
    missing=frozenset({"no_view", "no_order", "state"}),
    details=_details,
    anomalies={
        "no_view": Anomaly("The order history does not know {customer}.", "order-history wrote no view for this customer.", TRACE_CUSTOMER),
        "extra_view": Anomaly(
            "The order history shows {customer}, whom neither customers nor orders knows.",
            "the view was not built from events of this run: is it a leftover?",
            TRACE_CUSTOMER,
        ),
        "not_listed": Anomaly(
            "The view of {customer} is not in the list of all views.", "order-history wrote the view and not its list.", TRACE_CUSTOMER
        ),
        "expires": Anomaly(
            "{store} will remove the key {expected} in {found}.",
            "order-history gave the key a time to live: what the view knew is lost then, and nobody writes it again.",
            "where does order-history set a time to live?",
        ),
        "name": Anomaly(
            "The order history calls {customer} {found!r}; the name is {expected!r}.",
            "order-history took the name from something other than {source}.",
            TRACE_CUSTOMER,
        ),
        "limit": Anomaly(
            "The order history shows a limit of {found} for {customer}; it is {expected}.",
            "order-history took the limit from something other than {source}.",
            TRACE_CUSTOMER,
        ),
        "no_order": Anomaly("The order history of {customer} does not show {order}, which is {expected}.", ""),
        "extra_order": Anomaly(
            "The order history of {customer} shows order {order_id}, but the customer has no such order.",
            "order-history put the order into the view of the wrong customer, or left it there when the stores were emptied.",
            TRACE_CUSTOMER,
        ),
        "state": Anomaly("The order history of {customer} shows {order} as {found}; it is {expected}.", ""),
        "total": Anomaly(
            "The order history of {customer} shows a total of {found} for order {order_id}; it is {expected}.",
            "order-history took the total from something other than the order's events.",
        ),
    },
)
