"""Row changes: the rows of the binlog's events, as lines of the evidence.

Only the tables and columns that the evidence needs are decoded. Three quarters of a log are outbox rows that the relay marked as published;
they are skipped.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from labkit.evidence.binlog.changes import ChangeFormat, Wanted
from labkit.evidence.binlog.charsets import Charsets
from labkit.evidence.binlog.events import BODY, UPDATES, WRITES
from labkit.evidence.binlog.row_decoder import ALIVE, Decoder, decoder, is_versioned
from labkit.evidence.binlog.table_map import TableMap, Unsupported, table_map, table_name
from labkit.evidence.binlog.transactions import Pending
from labkit.evidence.table_files import TableFiles


@dataclass
class Plan:
    """How to read the rows that follow a TABLE_MAP event.

    `decoders` is keyed by the bitmap of the columns that the rows contain. MySQL sets the unused bits of that bitmap and MariaDB does not;
    neither logs a column that is computed on reading.
    """

    table: TableMap
    format: ChangeFormat
    versioned: bool
    bitmap: int  # bytes in a bitmap with one bit for each column
    decoders: dict[bytes, Decoder | None] = field(default_factory=dict)


@dataclass
class RowChanges:
    """Reads the rows of the wanted tables. `note` receives a reason why rows are missing."""

    wanted: Wanted
    charsets: Charsets
    files: TableFiles
    note: Callable[[str], None]

    def plan(self, description: bytes) -> Plan | None:
        """Return how to read the rows of a table from its description, see table_map; None if they are not wanted or not readable."""
        schema, table = table_name(description)
        format = self.wanted.get((schema, table))
        if format is None:
            return None
        try:
            found = table_map(description, self.charsets)
        except Unsupported as unsupported:
            self.note(str(unsupported))
            return None
        if not found.columns[0].name:
            self.note(f"the binlog does not name the columns of {schema}.{table} (binlog_row_metadata is not FULL)")
            return None
        return Plan(found, format, is_versioned(found), (len(found.columns) + 7) // 8)

    def _decoder(self, plan: Plan, present: bytes) -> Decoder | None:
        """Return a decoder for rows that contain these columns, or None if they lack a wanted column."""
        wanted = (*plan.format.columns, *((ALIVE,) if plan.versioned else ()))
        try:
            return decoder(plan.table, wanted, int.from_bytes(present, "little"), plan.format.raw)
        except Unsupported as unsupported:
            self.note(str(unsupported))
            return None

    def read(self, packet: bytes, end: int, plan: Plan, pending: Pending) -> None:
        """Append the changes of a WRITES, UPDATES or DELETES event, whose body ends at `end`, to the pending changes."""
        kind = packet[5]
        update = kind in UPDATES
        format = plan.format
        at = BODY + 8
        if kind >= 30:
            at += int.from_bytes(packet[at : at + 2], "little")
        at += 1  # skip the number of columns, which the plan already holds
        decoders = []
        for _ in range(2 if update else 1):
            present = packet[at : at + plan.bitmap]
            at += plan.bitmap
            if present not in plan.decoders:
                plan.decoders[present] = self._decoder(plan, present)
            decoders.append(plan.decoders[present])
        decode, decode_after = decoders[0], decoders[-1]
        if decode is None or decode_after is None or (update and not format.updates):
            return
        file, line, schema, versioned = self.files[format.table], format.line, plan.table.schema, plan.versioned
        op = "update" if update else "insert" if kind in WRITES else "delete"
        while at < end:
            row, at = decode(packet, at)
            after: tuple[Any, ...] = ()
            if update:
                after, at = decode_after(packet, at)
            elif op == "insert":
                row, after = after, row
            if versioned:
                # A system-versioned table never deletes a row: it sets the row's end, and inserts the previous version beside it.
                row, after = row[:-1] if row and row[-1] else (), after[:-1] if after and after[-1] else ()
                if not row and not after:
                    continue
                op_now = "update" if row and after else "delete" if row else "insert"
                pending.append((file, f"{op_now},{line(schema, row, after)}"))
            else:
                pending.append((file, f"{op},{line(schema, row, after)}"))
