"""I2: orders and reservations agree."""

from decimal import Decimal
from typing import Any

from labkit.invariants.model import Anomaly, Details, Invariant
from labkit.invariants.wording import Facts, announcing, answered, answers, at, became, has_answer, joined, table
from labkit.trace.model import facts_of
from labkit.trace.order import story_of
from labkit.trace.tables import EvidenceTables


def _details(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    order_id, kind = row["order_id"], row["kind"]
    place = table(tables, "reservations")
    held = tables.rows("SELECT customer_id, amount FROM reservations WHERE order_id = ? ORDER BY customer_id", order_id)
    fields = _amounts(tables, row["holder"] if kind == "kept" else row["customer_id"]) | {
        "holder_name": tables.customer(row["holder"]),
        "held": joined([f"{amount} of {tables.customer(customer)}" for customer, amount in held]),
    }
    if kind == "kept":
        fields["customer"] = tables.customer(row["holder"])
    reservations = [(f"{amount} is reserved of the credit of {tables.customer(c)} for order {order_id}", place) for c, amount in held]
    if kind == "no_order":
        return Details(fields, [*reservations, (f"there is no order {order_id}", table(tables, "orders"))])
    if kind == "kept" and row["state"] == "CANCELLED":
        story = story_of(tables.connection, order_id)
        hops = [h for h in story.of(announcing(tables, "order cancelled")) if h.key != "outbox"]
        return Details(fields, list(facts_of(hops)) or reservations, story.diagnosis.text if story.diagnosis else "")
    if kind == "kept":
        so = _contradiction(tables, order_id, str(row["state"]))
        return Details(fields, [became(tables, order_id, row["state"]), *answers(tables, order_id), *reservations], so)
    if kind == "not_held":
        facts, so = _without_reservation(tables, order_id, place)
        return Details(fields, [became(tables, order_id, "APPROVED"), *answers(tables, order_id), *facts], so)
    return Details(fields, [became(tables, order_id, "APPROVED"), *reservations])


def _amounts(tables: EvidenceTables, customer_id: int | None) -> dict[str, Any]:
    limit, reserved, approved = tables.row(
        "SELECT c.credit_limit, (SELECT coalesce(sum(amount), 0) FROM reservations WHERE customer_id = c.id),"
        " (SELECT coalesce(sum(total), 0) FROM all_orders WHERE customer_id = c.id AND state = 'APPROVED')"
        " FROM all_customers c WHERE c.id = ?",
        customer_id,
    ) or (Decimal(0), Decimal(0), Decimal(0))
    # Computed from the approved orders: the other reservations may be wrong too.
    return {"credit_limit": limit, "available": limit - reserved, "should_be": limit - approved}


def _without_reservation(tables: EvidenceTables, order_id: int, place: str) -> tuple[Facts, str]:
    gone = tables.rows(
        "SELECT before, commit_no FROM reservation_steps WHERE order_id = ? AND before IS NOT NULL AND after IS NULL ORDER BY commit_no",
        order_id,
    )
    if gone:
        fact = (f"the reservation of {gone[-1][0]} was removed", at(place, tables.commit(gone[-1][1])))
        return [fact], "credit was released for an order that is still APPROVED."
    if has_answer(tables, order_id, "granted"):
        so = f"customers {answered(tables)} that credit was reserved, and did not reserve it."
    else:
        so = "orders approved the order, though customers never said that credit was reserved."
    return [(f"no credit is reserved for order {order_id}", place)], so


def _contradiction(tables: EvidenceTables, order_id: int, state: str) -> str:
    if not has_answer(tables, order_id, "granted"):
        return "customers reserved credit for an order that it refused."
    if has_answer(tables, order_id, "refused"):
        return f"customers {answered(tables)} twice, and the answers differ: it checked the order twice."
    return f"customers reserved credit and said so, but orders made the order {state} anyway, or had done so before."


RULE = Invariant(
    "Agreement",
    "An order is APPROVED exactly when its customer holds one reservation of the same amount for it.",
    needs=("tables",),
    at_rest=True,
    details=_details,
    anomalies={
        "kept": Anomaly(
            "{Customer} may spend {credit_limit}. {Order} is {state}, but {reserved} is still reserved for it: {available} is available, "
            "{should_be} should be.",
            "",
        ),
        "not_held": Anomaly("{Order} of {customer} is APPROVED, but no credit is reserved for it.", ""),
        "twice": Anomaly(
            "{Order} of {customer} is APPROVED, and credit is reserved for it {holders} times, {reserved} in all: {held}.",
            "credit for one order was reserved more than once: which message led to the second reservation?",
        ),
        "wrong_customer": Anomaly(
            "{Order} of {customer} is APPROVED, but the credit of {holder_name} is reserved for it ({reserved}).",
            "customers reserved the credit of a customer other than the one that {request} names.",
        ),
        "wrong_amount": Anomaly(
            "{Order} of {customer} is APPROVED, but {reserved} is reserved for it, not {total}.",
            "customers reserved an amount other than the total that {request} names.",
        ),
        "no_order": Anomaly(
            "{Customer} holds {reserved} for order {order_id}, but there is no such order.",
            "credit was reserved for an order that does not exist: was {request} sent before the order was committed?",
        ),
    },
)
