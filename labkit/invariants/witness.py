"""A violation in words: the row of the query with names and amounts, in the invariant's sentence, with its because-chain."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from labkit.explanation import Explanation, Fact
from labkit.invariants.catalog import Anomaly, Invariant
from labkit.invariants.telling import TELL
from labkit.story.model import LANE_OF
from labkit.story.tables import Tables


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
    fields, because, so = TELL[invariant.id](tables, dict(row))
    words = _Words({**_common(tables, row), **fields})
    so = so or anomaly.so.format_map(words)
    return Witness(
        sentence=anomaly.witness.format_map(words),
        because=tuple(Fact(*fact) for fact in because),
        so=so,
        next_step=anomaly.next.format_map(words),
        kind=row["kind"],
        order_id=row.get("order_id"),
        customer_id=row.get("customer_id"),
        message_id=row.get("message_id"),
        commit_no=row.get("commit_no"),
        row=row,
    )


class _Words(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        if name[0].isupper():
            text = str(self[name.lower()])
            return text[0].upper() + text[1:]
        return f"({name}?)"


def _common(tables: Tables, row: Mapping[str, Any]) -> dict[str, Any]:
    order_id, customer_id = row.get("order_id"), row.get("customer_id")
    total = row.get("total")
    if total is None and order_id is not None:
        found = tables.row("SELECT total FROM all_orders WHERE id = ?", order_id)
        total = found[0] if found else None
    order = f"order {order_id} ({total})" if total is not None else f"order {order_id}" if order_id is not None else "an order"
    words = {name: _plain(value) for name, value in row.items()}
    return {
        **words,
        "order": order,
        "customer": tables.customer(customer_id),
        "subject": tables.customer(customer_id)
        if row.get("channel") == "Customer" and customer_id is not None
        else order
        if order_id is not None
        else "nobody known",
        "event": row.get("event") or "A message of no known type",
        "sender": LANE_OF.get(str(row.get("schema_name")), "its service"),
    }


def _plain(value: Any) -> Any:
    """Amounts always with their cents."""
    return value.quantize(Decimal("0.01")) if isinstance(value, Decimal) else value
