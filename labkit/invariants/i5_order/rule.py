"""I5: messages stay in the order of their commits."""

from typing import Any

from labkit.invariants.model import TRACE_MESSAGE, Anomaly, Details, Invariant
from labkit.invariants.wording import at
from labkit.trace.tables import EvidenceTables


def _details(tables: EvidenceTables, row: dict[str, Any]) -> Details:
    facts = []
    for message_id, event, partition, offset, key in (
        (row["before_id"], row["before_event"], row["before_partition"], row["before_offset"], row["before_key"]),
        (row["message_id"], row["event"], row["partition_no"], row["offset_no"], row["key"]),
    ):
        message = tables.message(message_id)
        facts.append((f"{event} was committed", at("its outbox", message.commit if message else None)))
        facts.append((f"{event} was published with key {key}", f"{row['channel']}, partition {partition}, offset {offset}"))
    return Details({}, facts)


RULE = Invariant(
    "Order per aggregate",
    "The messages of one order, or of one customer, reach the broker in the order in which they were committed.",
    needs=("binlog", "records"),
    over_time=True,
    details=_details,
    anomalies={
        "two_partitions": Anomaly(
            "The messages of {subject} are in two partitions of {channel}: {before_event} in "
            "{before_partition}, {event} in {partition_no}.",
            "{event} was published with the key {key!r} and {before_event} with {before_key!r}: only messages "
            "with the same key keep their order, and {aggregate_id} should be the key of both.",
            TRACE_MESSAGE,
        ),
        "overtaken": Anomaly(
            "{Event} of {subject} was committed after {before_event}, but stands before it in {broker}: {channel}, "
            "partition {partition_no}, offset {offset_no} before {before_offset}.",
            "the relay published {event} first: it must take the rows of one aggregate in the order of their commits.",
            TRACE_MESSAGE,
        ),
    },
)
