"""I4: outboxes and the broker hold the same messages."""

from typing import Any

from labkit.invariants.model import TRACE_MESSAGE, Anomaly, Details, Invariant
from labkit.invariants.wording import at, broker, outbox, outboxes
from labkit.trace.tables import EvidenceTables


def _details(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    message_id, kind = row["message_id"], row["kind"]
    place = f"{row['channel']}, partition {row['partition_no']}, offset {row['offset_no']}"
    if kind == "unpublished":
        return _unpublished(tables, row)
    if kind == "no_message":
        return Details({}, [("the record has no message id", place)])
    facts = [(f"{row['event'] or 'a message'} {message_id} is in {broker(tables)}", place)]
    if kind == "stranger":
        facts.append((f"no outbox row has the id {message_id}", outboxes(tables)))
    return Details({}, facts)


def _unpublished(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    message, place = tables.message(row["message_id"]), outbox(row["schema_name"])
    facts = [
        (f"{row['event'] or 'the message'} {row['message_id']} was written", at(place, message.commit if message else None)),
        ("the row is marked as published" if row["published"] else "the row is not marked as published", place),
        ("no record carries its id", f"{broker(tables)}'s topic {row['channel']}"),
    ]
    marked = ", though it marked it as published: it must wait for the broker's acknowledgement first" if row["published"] else ""
    return Details({"marked": marked}, facts)


RULE = Invariant(
    "Outbox and broker",
    "Every message of an outbox reaches the broker at least once, and every message there comes from an outbox.",
    needs=("tables", "records"),
    at_rest=True,
    rests_on={"binlog": frozenset({"stranger", "elsewhere"})},
    missing=frozenset({"unpublished"}),
    details=_details,
    anomalies={
        "unpublished": Anomaly(
            "{Event} of {subject} is in the outbox of {sender}, but {broker} never received it.",
            "the relay did not publish this row{marked}.",
            TRACE_MESSAGE,
        ),
        "stranger": Anomaly(
            "{Broker} holds {event} of {subject} ({channel}, partition {partition_no}, offset {offset_no}), but no outbox does.",
            "something published to {broker}, bypassing the outbox: the message was not part of any transaction.",
            TRACE_MESSAGE,
        ),
        "elsewhere": Anomaly(
            "{Event} of {subject} was published on the topic {channel}, which is not the one that its outbox row names.",
            "the relay used a topic other than the row's destination.",
            TRACE_MESSAGE,
        ),
        "no_message": Anomaly(
            "{Broker} holds a record that is not a message at all ({channel}, partition {partition_no}, offset "
            "{offset_no}), and labkit did not plant it.",
            "something wrote to the topic {channel}, bypassing the outbox.",
            "labkit topics --by-key",
        ),
    },
)
