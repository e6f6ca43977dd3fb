"""Which columns of a changed row go into the evidence, and how its images before and after become one line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.evidence import messages, table_schema
from labkit.evidence.table_files import number, optional, quoted
from labkit.system import messaging
from labkit.system.model import Column, Form, ObservedTable, Profile

Values = tuple[Any, ...]
Line = Callable[[str, Values, Values], str]
"""(schema, row before, row after) → the change as a line without its number and operation.

A missing row is (). Values are already fields of a line, empty for NULL, except for `raw` columns, which are bytes or None.
"""


@dataclass(frozen=True)
class ChangeFormat:
    """How the changes of one table become lines of the evidence."""

    table: str
    columns: tuple[str, ...]
    line: Line
    updates: bool = True
    raw: frozenset[str] = frozenset()


Wanted = Mapping[tuple[str, str], ChangeFormat]
"""The format of changes by schema and table."""


def wanted(profile: Profile) -> Wanted:
    """Return the tables whose changes are stored: the observed tables, and the outbox and inbox of each schema."""
    outbox, inbox = _outbox(messages.Wire(profile)), ChangeFormat("inbox_changes", ("consumer_id", "message_id"), _inbox, updates=False)
    return {
        **{(table.schema, table.table): _observed(table) for table in profile.tables},
        **{(schema, messaging.OUTBOX): outbox for schema in profile.schemas},
        **{(schema, messaging.INBOX): inbox for schema in profile.schemas},
    }


def tables(profile: Profile) -> tuple[str, ...]:
    """Return the evidence tables that receive the changes."""
    return (*map(table_schema.changes_of, profile.tables), "outbox_changes", "inbox_changes")


def _observed(table: ObservedTable) -> ChangeFormat:
    codes = [_codes(column) for column in table.followed]
    nothing = "," * (len(codes) - 1)

    def values(row: Values) -> str:
        if not row:
            return nothing
        return ",".join([str(known.get(value, value)) for value, known in zip(row, codes, strict=True)])

    def line(_: str, before: Values, after: Values) -> str:
        return f"{values(before)},{values(after)}"

    return ChangeFormat(table_schema.changes_of(table), tuple(column.source for column in table.followed), line)


def _codes(column: Column) -> dict[Any, str]:
    """Map each stored value of a coded column to its text, whichever type the column uses for the number."""
    if column.form is not Form.CODED:
        return {}
    return {written: text for code, text in enumerate(column.codes) for written in (code, str(code), quoted(str(code)))}


_BODY = frozenset({"destination", "headers", "payload"})


def _outbox(wire: messages.Wire) -> ChangeFormat:
    def line(schema: str, before: Values, after: Values) -> str:
        message_id, destination, headers, payload = before or after
        about = wire.about(headers or b"", payload or b"")
        topic = (destination or b"").decode(errors="replace")
        ids = f"{number(about.aggregate_id)},{number(about.order_id)},{number(about.customer_id)}"
        more = f"{optional(about.key)},{optional(about.saga_id)},{optional(about.reply_to)}"
        return f"{schema},{message_id},{quoted(topic)},{quoted(wire.channel(topic))},{optional(about.event)},{ids},{more}"

    return ChangeFormat("outbox_changes", ("id", *sorted(_BODY)), line, updates=False, raw=_BODY)


def _inbox(schema: str, before: Values, after: Values) -> str:
    subscriber, message_id = before or after
    return f"{schema},{subscriber},{message_id}"
