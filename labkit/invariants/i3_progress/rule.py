"""I3: every order comes to an end."""

from typing import Any

from labkit.invariants.model import Anomaly, Details, Invariant
from labkit.invariants.wording import Facts, answers, became, table
from labkit.system import messaging
from labkit.trace.model import facts_of
from labkit.trace.order import story_of
from labkit.trace.tables import EvidenceTables


def _details(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    kind, order_id, orders = row["kind"], row["order_id"], table(tables, "orders")
    asked = _request(tables, row)
    match kind:
        case "pending":
            return _pending(tables, order_id)
        case "saga_open":
            place = f"{row['schema_name']}.{messaging.SAGAS}"
            return Details({}, [(f"the saga of order {order_id} has not ended", place), *answers(tables, order_id)])
        case "lost":
            return Details({}, [*asked, (f"there is no order {order_id}", orders)])
        case "altered":
            return Details({}, [*asked, (f"order {order_id} exists for customer {row['other_id']} for {row['state']}", orders)])
        case "twice":
            found = tables.rows(
                "SELECT id FROM all_orders WHERE customer_id = ? AND total = ? ORDER BY id", row["customer_id"], row["total"]
            )
            there = [(f"order {o} exists for customer {row['customer_id']} for {row['total']}", orders) for (o,) in found]
            return Details({}, [*asked, *there])
        case "not_cancelled" | "cancelled_unasked":
            return Details({}, [(_cancelling(tables, order_id), "the scenario's requests"), became(tables, order_id, row["state"])])
        case _:
            return Details({}, [*asked, (f"order {order_id} exists", orders)])


def _request(tables: EvidenceTables, row: dict[str, Any]) -> Facts:
    found = tables.row("SELECT method, path, status, outcome FROM requests WHERE id = ?", row["request_id"])
    if found is None:
        return []
    method, path, status, outcome = found
    words = {"ok": f"was answered with {status}", "refused": f"was refused with {status}"}.get(outcome, "got no answer")
    text = f"{method} {path} for {row['total']} for customer {row['customer_id']} {words}"
    return [(text, f"request {row['request_id']} of the scenario")]


def _cancelling(tables: EvidenceTables, order_id: int) -> str:
    found = tables.row(
        "SELECT method, path, status FROM requests WHERE operation = 'cancel_order' AND order_id = ? AND outcome = 'ok'", order_id
    )
    return f"{found[0]} {found[1]} was answered with {found[2]}" if found else f"the scenario sent no POST /orders/{order_id}/cancel"


def _pending(tables: EvidenceTables, order_id: int) -> Details:
    story = story_of(tables.connection, order_id)
    hops = [hop for hop in story.hops if hop.key not in ("view", "outbox")]
    missing = [hop for hop in story.hops if hop.mark.value == "✗" and hop.key == "outbox"]
    so = story.diagnosis.text if story.diagnosis else "no subscriber reacts to the messages about this order."
    return Details({}, list(facts_of([*hops, *missing])), so)


RULE = Invariant(
    "Progress",
    "Every accepted order exists once, as it was requested, and comes to an end.",
    needs=("tables",),
    at_rest=True,
    missing=frozenset({"pending", "saga_open"}),
    details=_details,
    anomalies={
        "pending": Anomaly("{Order} of {customer} is still {state}, and no message is left that could move it.", ""),
        "saga_open": Anomaly(
            "The saga {saga} of order {order_id} has not ended, and no message is left that could move it.",
            "{decider} waits for a reply to {request}, and none will come.",
        ),
        "lost": Anomaly(
            "{Order} of {customer} was accepted with 200, but there is no such order.",
            "orders answered before the order was committed.",
        ),
        "altered": Anomaly(
            "Order {order_id} was placed for {customer} with a total of {total}, and orders holds it for customer {other_id} with {state}.",
            "orders stored something other than what was requested.",
        ),
        "twice": Anomaly(
            "{Customer} placed one order for {total}, but orders holds more than one: {order_id} and {other_id}.",
            "one request was carried out more than once: who sent it again?",
        ),
        "refused_but_there": Anomaly(
            "An order of {customer} for {total} was refused, but orders holds it anyway, as order {order_id}.",
            "orders refused a request after it had stored it.",
        ),
        "not_cancelled": Anomaly(
            "Cancelling {order} was accepted with 200, but the order is {state}.",
            "orders answered before the cancellation was committed, or something changed the order afterwards.",
        ),
        "cancelled_unasked": Anomaly(
            "{Order} of {customer} is CANCELLED, but no request asked for that.", "orders cancelled an order without a request."
        ),
    },
)
