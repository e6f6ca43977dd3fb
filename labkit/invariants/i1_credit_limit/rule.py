"""I1: customers cannot spend more than their limit."""

from decimal import Decimal
from typing import Any

from labkit.invariants.model import TRACE_CUSTOMER, Anomaly, Details, Invariant
from labkit.invariants.wording import SHOWN, at, joined, limit, table
from labkit.trace.tables import EvidenceTables


def _details(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    customer, commit_no, reservations = row["customer_id"], row["worst_commit"], table(tables, "reservations")
    if commit_no is None:
        held = tables.rows("SELECT order_id, amount, NULL FROM reservations WHERE customer_id = ? ORDER BY order_id", customer)
    else:
        held = tables.rows(
            "SELECT order_id, sum(coalesce(after, 0) - coalesce(before, 0)) AS amount, max(commit_no) AS since FROM reservation_steps"
            " WHERE customer_id = ? AND commit_no <= ? GROUP BY order_id HAVING amount > 0 ORDER BY since, order_id",
            customer,
            commit_no,
        )
    facts = limit(tables, customer)
    shown = held if len(held) <= SHOWN else held[-SHOWN:]
    facts += [(f"{amount} was reserved for order {order}", at(reservations, tables.commit(since))) for order, amount, since in shown]
    ended, until = "", row["until_commit"]
    if until is not None:
        freed = tables.rows(
            "SELECT order_id, before - coalesce(after, 0) FROM reservation_steps WHERE customer_id = ? AND "
            "commit_no = ? AND before IS NOT NULL ORDER BY order_id",
            *(customer, until),
        )
        ended = ", until a later commit corrected it"
        facts += [(f"{amount} of order {order} was released", at(reservations, tables.commit(until))) for order, amount in freed]
    last_order, last_amount, _ = held[-1] if held else (None, Decimal(0), None)
    fields = {
        "held": joined([f"{amount} for order {order}" for order, amount, _ in held]),
        "ended": ended,
        "last_order": f"order {last_order} ({last_amount})",
        "last_order_id": last_order,
        "left": max(row["credit_limit"] - (row["reserved"] - last_amount), Decimal(0)),
    }
    return Details(fields, facts)


RULE = Invariant(
    "Credit limit",
    "A customer's reservations never add up to more than the customer's limit.",
    needs=("tables",),
    wants=("binlog",),
    over_time=True,
    rests_on={"binlog": frozenset({"over"})},
    details=_details,
    anomalies={
        "over": Anomaly(
            "{Customer} may spend {credit_limit}, and {reserved} was reserved at once: {held}{ended}.",
            "customers reserved credit for {last_order} when only {left} was free: it decided without counting what was already reserved.",
            "labkit trace order {last_order_id}",
        ),
        "over_now": Anomaly(
            "{Customer} may spend {credit_limit}, and {reserved} is reserved: {held}.",
            "customers reserved credit without counting what was already reserved.",
            TRACE_CUSTOMER,
        ),
    },
)
