"""A violation in words: the names and amounts of the query's row in the invariant's sentence, with the facts that prove it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.explanation import Explanation, Fact
from labkit.invariants.model import Anomaly, Invariant
from labkit.invariants.wording import Words, common
from labkit.trace.tables import EvidenceTables


@dataclass(frozen=True, kw_only=True)
class Witness(Explanation):
    """The explanation of one violation. `kind` is the anomaly's kind, `row` the row of the query."""

    kind: str
    order_id: int | None
    customer_id: int | None
    message_id: str | None
    commit_no: int | None
    row: Mapping[str, Any]


def witness(connection: Any, invariant: Invariant, row: Mapping[str, Any]) -> Witness:
    """Return the explanation of a violation. It queries the evidence again, so use it only for the few violations that are shown."""
    tables = EvidenceTables(connection)
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
