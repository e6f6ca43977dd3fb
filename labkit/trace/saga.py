"""The orchestrated saga of an order: how far it has come, and whether its end agrees with the order's state."""

import json

from labkit.system import messaging
from labkit.trace.model import Diagnosis
from labkit.trace.tables import EvidenceTables
from labkit.trace.walk import Walk


def why_pending(tables: EvidenceTables, order_id: int) -> str | None:
    """Return what the saga shows about an order that is still PENDING after its answer; None without a saga, or if the saga is waiting."""
    row = tables.row("SELECT end_state, compensating, failed FROM saga_instances WHERE order_id = ? ORDER BY saga_id", order_id)
    if row is None or not any(row):
        return None
    ended, compensating, failed = row
    if compensating and not ended:
        return "The saga is compensating, and its compensation has not rejected the order yet."
    return _why_wrong("PENDING", ended, compensating, failed)


def saga(walk: Walk, order_id: int, state: str) -> None:
    """Add one hop for each saga instance of an order."""
    for schema, saga_id, state_name, ended, compensating, failed in walk.tables.rows(
        "SELECT schema_name, saga_id, state_name, end_state, compensating, failed FROM saga_instances WHERE order_id = ? ORDER BY saga_id",
        order_id,
    ):
        source = f"{schema}.{messaging.SAGAS}"
        lane = walk.system.component(schema) or walk.system.owners["orders"]
        backwards = "compensated and " if compensating else ""
        text = f"saga {saga_id} {backwards}ended" if ended else f"saga {saga_id} is in {_step(state_name)}"
        if failed:
            text = f"saga {saga_id} ended in an error"
        if state == "PENDING" and not ended:
            walk.wait("saga", f"{text}, and is compensating" if compensating else text, source=source, lane=lane)
        elif why := _why_wrong(state, ended, compensating, failed):
            walk.wrong("saga", f"{text}, and the order is {state}", source, Diagnosis(why, f"labkit logs {lane}"), lane=lane)
        else:
            walk.ok("saga", text, source, lane=lane)


def _why_wrong(state: str, ended: bool, compensating: bool, failed: bool) -> str | None:
    if failed:
        return "The saga ended in an error: a compensation failed, or a reply arrived that no step expects."
    if not ended:
        return f"The order is {state}, but its saga has not ended: the orchestrator did not finish it."
    if state == "PENDING":
        return "The saga has ended, and its last step did not end the order."
    if compensating and state != "REJECTED":
        return f"The saga compensated, but its compensation did not reject the order: it is {state}."
    if not compensating and state == "REJECTED":
        return "The order is REJECTED, but the saga did not compensate: the orchestrator did not recognise the refusal."
    return None


def _step(state_name: str | None) -> str:
    """Return `step 1` for a state in the orchestrator's JSON, and any other text unchanged."""
    try:
        return f"step {json.loads(state_name or '')['currentlyExecuting']}"
    except (ValueError, KeyError, TypeError):
        return f"the state {state_name}"
