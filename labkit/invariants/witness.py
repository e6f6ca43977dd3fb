"""A violation in words: the row of the query with names and amounts, in the invariant's sentence, with its because-chain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.invariants.model import Anomaly, Invariant
from labkit.invariants.wording import Words, common
from labkit.story.tables import Tables


@dataclass(frozen=True)
class Fact:
    text: str
    source: str


@dataclass(frozen=True)
class Witness:
    """`row` as the query gave it."""

    kind: str
    sentence: str
    because: tuple[Fact, ...]
    so: str
    next_step: str
    order_id: int | None
    customer_id: int | None
    message_id: str | None
    commit_no: int | None
    row: Mapping[str, Any]


def witness(connection: Any, invariant: Invariant, row: Mapping[str, Any]) -> Witness:
    """Only for the few violations that are shown: it asks the evidence again."""
    tables = Tables(connection)
    anomaly: Anomaly = invariant.anomalies[row["kind"]]
    details = invariant.details(tables, dict(row))
    words = Words({**common(tables, row), **details.fields})
    so = details.so or anomaly.so.format_map(words)
    return Witness(
        row["kind"],
        anomaly.witness.format_map(words),
        tuple(Fact(*fact) for fact in details.because),
        so,
        anomaly.next.format_map(words),
        row.get("order_id"),
        row.get("customer_id"),
        row.get("message_id"),
        row.get("commit_no"),
        row,
    )
