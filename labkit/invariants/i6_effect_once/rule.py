"""I6: each message has its effect once."""

from typing import Any

from labkit.invariants.model import Anomaly, Details, Invariant
from labkit.invariants.wording import SHOWN, Facts, answer_kind, at, inbox, message_words, outbox, subscriber_of, table
from labkit.trace.handler import handler_words
from labkit.trace.tables import EvidenceTables

EFFECT_WORDS = {"release": "the release of the order's credit", "decision": "the end of the order"}


def _details(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    service, schema = subscriber_of(tables, row["subscriber"])
    words = EFFECT_WORDS.get(row["effect"]) or f"{_a(answer_kind(tables))} about the order's credit"
    names = _answers(tables, row)
    facts = [*_published(tables, row), _received(tables, row, service, schema), *_effects(tables, row, schema, words, names)]
    shown = " and ".join(message_words(tables, name) for name in names) if row["kind"] == "twice" and names else words
    who = handler_words(tables, service, row["event"], row["message_id"]) if row["kind"] == "no_effect" else "?"
    so = "" if who.endswith("?") else f"{service} committed the inbox row but not the effect: {who}"
    return Details({"service": service, "effect_words": shown}, facts, so)


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _published(tables: EvidenceTables, row: dict[str, Any]) -> Facts:
    message = tables.message(row["message_id"])
    if not message or not message.first:
        return []
    copies = f" {len(message.copies)} times" if len(message.copies) > 1 else ""
    return [(f"{row['event']} was published{copies}", ", ".join(copy.place for copy in message.copies[:SHOWN]))]


def _received(tables: EvidenceTables, row: dict[str, Any], service: str, schema: str) -> tuple[str, str]:
    place = f"{inbox(schema)}, {row['subscriber']}"
    if row["received_commit"] is None:
        return f"{service} never noted it as received", place
    return f"{service} noted it as received", at(place, tables.commit(row["received_commit"]))


def _effects(tables: EvidenceTables, row: dict[str, Any], schema: str, words: str, names: list[str]) -> Facts:
    place = {"release": table(tables, "reservations"), "decision": table(tables, "orders")}.get(row["effect"]) or outbox(schema)
    commits = (row["effect_commits"] or [])[:SHOWN]
    if not commits:
        return [(f"there is no {words.partition(' ')[2]}", place)]
    named = [*names, *[words] * len(commits)]
    return [(f"{name} was committed", at(place, tables.commit(commit))) for name, commit in zip(named, commits, strict=False)]


def _answers(tables: EvidenceTables, row: dict[str, Any]) -> list[str]:
    """Return the answers that make up the effect."""
    if row["effect"] != "answer":
        return []
    query = (
        "SELECT event FROM outbox_inserts SEMI JOIN (FROM message_types WHERE answers IS NOT NULL) USING (event)"
        " WHERE order_id = ? ORDER BY commit_no, change_no"
    )
    return [str(event) for (event,) in tables.rows(query, row["order_id"])]


RULE = Invariant(
    "Effect once",
    "Each message has its effect exactly once, in the transaction that notes it as received.",
    needs=("tables", "binlog", "records"),
    at_rest=True,
    over_time=True,
    missing=frozenset({"never_taken"}),
    details=_details,
    anomalies={
        "never_taken": Anomaly(
            "{Event} of {order} is in {broker}, but {service} neither took it nor parked it.",
            "{service} skipped {event} without doing anything: was the offset committed before the work was?",
        ),
        "twice": Anomaly(
            "{Event} of {order} came once but had its effect {effects} times: {effect_words}.",
            "{service} took the message again when it was delivered again: its id is not noted in the transaction of its effect.",
        ),
        "no_effect": Anomaly(
            "{service} noted {event} of {order} as received, but nothing followed from it: {effect_words} is missing.",
            "{service} committed the inbox row but not the effect: they belong in one transaction, and a "
            "handler must be there for {event}.",
        ),
        "effect_outside": Anomaly(
            "{service} reacted to {event} of {order} in a transaction that does not note the message as received.",
            "inbox row and effect are in different transactions: a crash between them loses the effect or repeats it.",
        ),
    },
)
