"""I11: each answer is right, and it is the cause of the order's end."""

from typing import Any

from labkit.invariants.model import Anomaly, Details, Invariant
from labkit.invariants.wording import Facts, answer_kind, answering, answers, at, component, decider, inbox, outbox, request, table
from labkit.trace.tables import EvidenceTables

RIGHT = {
    "refused_though_free": "granted",
    "granted_though_short": "refused",
    "granted_to_nobody": "unknown customer",
    "refused_for_nobody": "unknown customer",
}
"""The right answer for each kind of violation."""


def _details(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    return _cause(tables, row) if row["kind"] in ("no_cause", "wrong_cause") else _answer(tables, row)


def _answer(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    commit, sender = tables.commit(row["commit_no"]), component(tables, row["schema_name"]) or "its service"
    fields = {"beside": "", "sender": sender}
    if right := RIGHT.get(row["kind"]):
        fields["right"] = answering(tables, right)
    if row["together"] and row["together"] > 1 and row["granted"]:
        fields["beside"] = f", and {row['granted']} was granted in the same transaction"
    said = "replied" if answer_kind(tables) == "reply" else "answered"
    facts = [(f"{sender} {said} {row['answer']}", at(outbox(row["schema_name"]), commit))]
    if row["credit_limit"] is not None:
        before = f"before it, {row['reserved']} of {row['credit_limit']} was reserved: {row['free']} was free"
        facts.append((before, at(table(tables, "reservations"), commit)))
    else:
        facts.append((f"before it, there was no customer {row['customer_id']}", at(table(tables, "customers"), commit)))
    facts.append((f"order {row['order_id']} asks for {row['total']}", table(tables, "orders")))
    return Details(fields, facts)


def _cause(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    kind, who = answer_kind(tables), decider(tables)
    component, subscriber, place = _receiver(tables)
    commit = tables.commit(row["commit_no"])
    reason = f" {row['reason']}" if row["reason"] else ""
    facts = [(f"order {row['order_id']} became {row['state']}{reason}", at(table(tables, "orders"), commit))]
    got = tables.rows("SELECT event FROM inbox_inserts WHERE commit_no = ? AND order_id = ?", row["commit_no"], row["order_id"])
    facts += [(f"in that transaction {component} received {event}", f"{place}, {subscriber}") for (event,) in got]
    if not got:
        facts.append((f"that transaction holds no inbox row of {'a reply' if kind == 'reply' else 'an answer'} about it", place))
    so = ""
    if row["kind"] == "no_cause" and (apart := _apart(tables, row["order_id"], component, subscriber, place)):
        facts += apart
        so = f"{who} notes the {kind} and carries it out in two transactions: a crash between them loses the effect or repeats it."
    sender = next(iter(tables.row("SELECT sender FROM message_types WHERE answers IS NOT NULL") or ()), "its service")
    awaited = f"reply of {sender} to the command {request(tables)}" if kind == "reply" else f"answer of {sender} about it"
    return Details({"because_of": reason, "awaited": awaited}, [*facts, *answers(tables, row["order_id"])], so)


def _receiver(tables: EvidenceTables) -> tuple[str, str, str]:
    """Return (component, subscriber, inbox) of the service that takes the answers."""
    found = tables.row("SELECT component, subscriber, schema_name FROM reactions WHERE effect = 'decision'")
    component, subscriber, schema = found or ("its service", "nobody", "its schema")
    return component, subscriber, inbox(schema)


def _apart(tables: EvidenceTables, order_id: int, component: str, subscriber: str, place: str) -> Facts:
    found = tables.rows(
        "SELECT event, commit_no FROM inbox_inserts WHERE order_id = ? AND subscriber = ? ORDER BY commit_no", order_id, subscriber
    )
    return [(f"{component} noted {event} as received in another transaction", at(place, tables.commit(commit))) for event, commit in found]


RULE = Invariant(
    "Right answer, right cause",
    "Credit is granted when it is available and refused when it is not, and an order leaves PENDING because of that answer.",
    needs=("binlog",),
    over_time=True,
    details=_details,
    anomalies={
        "refused_though_free": Anomaly(
            "{Order} of {customer} was refused for lack of credit, but there was enough: {free} of {credit_limit} was free{beside}.",
            "{sender} {answered} {answer} where {right} is right: how does it compare the total with what is free?",
        ),
        "granted_though_short": Anomaly(
            "{Order} of {customer} was granted credit, but there was not enough: only {free} of {credit_limit} was free{beside}.",
            "{sender} {answered} {answer} where {right} is right: does it count what is already reserved?",
        ),
        "unknown_though_there": Anomaly(
            "{Order} was refused because customer {customer_id} does not exist, but {customer} does.",
            "{sender} {answered} {answer} about a customer that exists.",
        ),
        "granted_to_nobody": Anomaly(
            "{Order} was granted the credit of customer {customer_id}, but there is no such customer.",
            "{sender} {answered} {answer} where {right} is right.",
        ),
        "refused_for_nobody": Anomaly(
            "{Order} was refused for lack of credit of customer {customer_id}, but there is no such customer.",
            "{sender} {answered} {answer} where {right} is right.",
        ),
        "no_cause": Anomaly(
            "{Order} of {customer} became {state}{because_of}, but in that transaction {decider} received no {awaited}.",
            "{decider} decided by itself: an order leaves PENDING only in the transaction that notes the {answer_kind} as received.",
        ),
        "wrong_cause": Anomaly(
            "{Order} of {customer} became {state}{because_of}, but the {answer_kind} that {decider} received was {answer}.",
            "{decider} turned {answer} into {state}{because_of}: which handler takes {answer}?",
        ),
    },
)
