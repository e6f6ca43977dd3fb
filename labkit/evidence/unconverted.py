"""Explain which column of which store holds a value that the evidence cannot represent."""

from collections.abc import Iterable

from labkit.evidence import table_schema
from labkit.evidence.table_files import MONEY, Unconverted
from labkit.system.model import ObservedTable, Profile

LONGEST = 60  # characters of a value that are shown
_WANTED = {
    MONEY: "an amount of at most 36 digits and two decimals",
    "BIGINT": "a number of 64 bits",
    "HUGEINT": "a position of the broker's",
}


def reason(found: Iterable[Unconverted], profile: Profile) -> str | None:
    """Return a sentence without a full stop about the first such column; None if all values could be read."""
    for values in found:
        table = _observed(values.table, profile)
        column = _stored(table, values.column.removeprefix("before_").removeprefix("after_")) if table else values.column
        rows = "1 row" if values.count == 1 else f"{values.count} rows"
        what = _WANTED[values.type]
        return f"column {column} of {table or values.table} has {values.text[:LONGEST]!r} in {rows}, which is not {what}"
    return None


def _observed(name: str, profile: Profile) -> ObservedTable | None:
    """Return the table whose rows or row changes are in this table of the evidence."""
    return next((table for table in profile.tables if name in (table.name, table_schema.changes_of(table))), None)


def _stored(table: ObservedTable, name: str) -> str:
    """Return the column's name in the database."""
    return next((column.source for column in table.columns if column.name == name), name)
