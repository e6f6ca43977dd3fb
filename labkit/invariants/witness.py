"""A violation in words: the row of the query with names and amounts, in the invariant's sentence, with its because-chain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.explanation import Explanation, Fact
from labkit.invariants.model import Anomaly, Invariant
from labkit.invariants.wording import Words, common
from labkit.trace.tables import Tables


@dataclass(frozen=True, kw_only=True)
class Witness(Explanation):
    """The explanation of one violation, and what it is about. `kind` is that of the anomaly, `row` what the query gave."""

    kind: str
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
        sentence=anomaly.witness.format_map(words),
        because=tuple(Fact(*fact) for fact in details.because),
        so=so,
        next_step=anomaly.next.format_map(words),
        kind=row["kind"],
        order_id=row.get("order_id"),
        customer_id=row.get("customer_id"),
        message_id=row.get("message_id"),
        commit_no=row.get("commit_no"),
        row=row,
    )
