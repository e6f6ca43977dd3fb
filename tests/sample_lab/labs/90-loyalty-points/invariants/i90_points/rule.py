"""I90: points and approved orders agree."""

from typing import Any

from labkit.invariants.model import Anomaly, Details, Invariant
from labkit.trace.tables import EvidenceTables

TABLE = "loyalty_db.points"


def _details(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    found = tables.rows("SELECT points FROM points WHERE order_id = ?", row["order_id"])
    facts = [(f"{points} points are given for order {row['order_id']}", TABLE) for (points,) in found]
    return Details({}, facts or [(f"no points are given for order {row['order_id']}", TABLE)])


RULE = Invariant(
    "Points",
    "Each approved order earns one point for each whole unit of its total.",
    needs=("tables",),
    at_rest=True,
    profiles=("loyalty",),
    details=_details,
    missing=frozenset({"none"}),
    anomalies={
        "none": Anomaly("{Order} of {customer} is APPROVED, and it earned no points.", "loyalty did not react to the approval."),
        "astray": Anomaly("The points for {order} of {customer} went to customer {given_to}.", "whose id does loyalty write?"),
        "wrong": Anomaly(
            "{Order} of {customer} earned {points} points, and {expected} are right.",
            "loyalty counts something other than the whole units of the total.",
        ),
    },
)
