"""I9: an orchestrated saga and its order agree."""

from typing import Any

from labkit.invariants.model import Anomaly, Details, Invariant
from labkit.invariants.wording import answering, answers, has_answer, table
from labkit.system import messaging
from labkit.trace.tables import EvidenceTables


def _details(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    order_id = row["order_id"]
    ended = "in an error" if row["failed"] else "after compensating" if row["compensating"] else "without compensating"
    facts = [
        *answers(tables, order_id),
        (f"the saga ended {ended}", f"{row['schema_name']}.{messaging.SAGAS}, {row['saga_type'].rpartition('.')[2]}"),
        (f"order {order_id} is {row['state'] or 'missing'}", table(tables, "orders")),
    ]
    so = ""
    if row["kind"] == "compensated_but_approved" and has_answer(tables, order_id, "granted"):
        so = f"the reply {answering(tables, 'granted')} leaves nothing to compensate: which reply did the saga take for a refusal?"
    return Details({}, facts, so)


RULE = Invariant(
    "Saga and order agree",
    "When a saga has ended, its order has too, and it compensated exactly when the order is REJECTED.",
    needs=("tables",),
    at_rest=True,
    profiles=("orchestration",),
    details=_details,
    anomalies={
        "failed": Anomaly(
            "The saga {saga_id} of {order} ended in an error.", "a compensation failed, or a reply arrived that no step expects."
        ),
        "no_order": Anomaly(
            "The saga {saga_id} has ended for order {order_id}, but there is no such order.", "the saga was created without its order."
        ),
        "ended_too_early": Anomaly(
            "The saga {saga_id} has ended, but {order} is still PENDING.", "the last step of the saga does not end the order."
        ),
        "compensated_but_approved": Anomaly(
            "The saga {saga_id} compensated, but {order} is {state}.", "the compensation does not reject the order."
        ),
        "rejected_uncompensated": Anomaly(
            "The saga {saga_id} ended without compensating, but {order} is REJECTED.",
            "the saga mistook a refusal for an acceptance.",
        ),
    },
)
