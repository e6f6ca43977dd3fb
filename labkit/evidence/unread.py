"""Which column of which store holds what the evidence has no place for."""

from collections.abc import Iterable

from labkit.evidence.table_files import MONEY, Unread

LONGEST = 60  # characters of a value that are shown
_STORED = {  # tables of the evidence, and columns where the table has another name for them
    "orders": ("order_db.orders", {"total": "amount", "reason": "rejection_reason"}),
    "order_changes": ("order_db.orders", {"total": "amount", "order_id": "id", "reason": "rejection_reason"}),
    "customers": ("customer_db.customer", {"credit_limit": "amount"}),
    "customer_changes": ("customer_db.customer", {"limit": "amount", "customer_id": "id"}),
    "reservations": ("customer_db.customer_credit_reservations", {"order_id": "credit_reservations_key"}),
    "reservation_changes": ("customer_db.customer_credit_reservations", {"order_id": "credit_reservations_key"}),
}


def reason(found: Iterable[Unread]) -> str | None:
    """The first of them as a sentence without its full stop; None where all could be read."""
    for unread in found:
        table, names = _STORED.get(unread.table, (unread.table, {}))
        column = unread.column.removeprefix("before_").removeprefix("after_") if table != unread.table else unread.column
        rows = "1 row" if unread.count == 1 else f"{unread.count} rows"
        what = "an amount of at most 36 digits and two decimals" if unread.type == MONEY else "a number of 64 bits"
        return f"column {names.get(column, column)} of {table} has {unread.text[:LONGEST]!r} in {rows}, which is not {what}"
    return None
