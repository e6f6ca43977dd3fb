"""Row changes of both schemas from the binlog, in commit order, with their transactions.

Only what the invariants ask for is decoded: three quarters of the log are rows that the relay marked as published, and are stepped over.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.evidence.changes import CHANGE_TABLES, WANTED, Change
from labkit.evidence.replication import BinlogUnreadable, Position, packets
from labkit.evidence.row_format import Decoder, Unsupported, decoder, table_map, table_name
from labkit.evidence.table_files import TableFile, TableFiles, quoted
from labkit.stack.model import SCHEMAS, MysqlAccount

# Kinds of events by their number.
QUERY, STOP, ROTATE, FORMAT_DESCRIPTION, XID, TABLE_MAP = 2, 3, 4, 15, 16, 19
GTID, ANONYMOUS_GTID, PARTIAL_UPDATE, TRANSACTION_PAYLOAD = 33, 34, 39, 40
WRITES, UPDATES, DELETES = (23, 30), (24, 31), (25, 32)  # version 1 (MariaDB), version 2 (MySQL)
ROWS = (*WRITES, *UPDATES, *DELETES)
COMPRESSED = range(165, 172)  # MariaDB's log_bin_compress: a query and rows of both versions
BODY = 20  # where an event's body begins in its packet: after the OK byte and the header
SECOND, MICROSECOND = 1_000_000, 1
TABLES = ("transactions", "binlog_statements", *CHANGE_TABLES)


@dataclass
class Plan:
    """What to do with the rows that follow a TABLE_MAP."""

    schema: str
    change: Change
    decode: Decoder
    bitmap: int  # bytes of a bitmap with a bit for each column
    whole: frozenset[bytes]  # what says that all columns are there, in one image or two: MySQL sets unused bits, MariaDB does not


@dataclass
class Reading:
    """What was read. `rows` are the decoded ones."""

    commits: int = 0
    changes: int = 0
    rows: int = 0
    reason: str | None = None  # why the changes are not all there
    end: Position | None = None


@dataclass
class _Reader:
    files: TableFiles
    start: Position
    stop: Position
    tell: Callable[[int], None]
    reading: Reading = field(default_factory=Reading)
    file: str = ""
    opened: bool = False
    checksum: int = 0
    plans: dict[bytes, Plan | None] = field(default_factory=dict)
    current: dict[bytes, Plan | None] = field(default_factory=dict)
    pending: list[tuple[TableFile, str]] = field(default_factory=list)
    commit_time: tuple[int, int] = (0, SECOND)

    def note(self, reason: str) -> None:
        self.reading.reason = self.reading.reason or reason

    def take(self, packet: bytes) -> bool:
        """One event; False when the stop is reached."""
        kind = packet[5]
        if kind == TABLE_MAP:
            end = len(packet) - self.checksum
            described = packet[BODY + 8 : end]
            try:
                self.current[packet[BODY : BODY + 6]] = self.plans[described]
            except KeyError:
                self.current[packet[BODY : BODY + 6]] = self.plans[described] = self.plan(described)
            return True
        if kind in ROWS:
            plan = self.current.get(packet[BODY : BODY + 6])
            if plan is not None:
                self.rows(kind, packet, plan)
            return True
        if kind == XID:
            self.commit(packet)
        elif kind == QUERY:
            self.query(packet)
        elif kind == FORMAT_DESCRIPTION:
            self.format(packet)
        elif kind == ROTATE:
            return self.rotate(packet)
        elif kind in (GTID, ANONYMOUS_GTID):
            self.commit_time = _gtid_time(packet)
        elif kind in (PARTIAL_UPDATE, TRANSACTION_PAYLOAD) or kind in COMPRESSED:
            self.note(f"the binlog is compressed or holds partial rows (event {kind} in {self.file}), which labkit does not read")
        return self.place(packet) < self.stop

    def place(self, packet: bytes) -> Position:
        """Where this event ends."""
        offset = int.from_bytes(packet[14:18], "little")
        return Position(self.file, offset)

    def plan(self, described: bytes) -> Plan | None:
        schema, table = table_name(described)
        change = WANTED.get((schema, table))
        if change is None:
            return None
        try:
            found = table_map(described)
            if not found.columns[0].name:
                raise Unsupported(f"the binlog does not name the columns of {schema}.{table} (binlog_row_metadata is not FULL)")
            decode = decoder(found, change.columns)
        except Unsupported as unsupported:
            self.note(str(unsupported))
            return None
        count = len(found.columns)
        size = (count + 7) // 8
        bitmaps = [number.to_bytes(size, "little") for number in ((1 << count) - 1, (1 << 8 * size) - 1)]
        return Plan(schema, change, decode, size, frozenset([*bitmaps, *(bitmap * 2 for bitmap in bitmaps)]))

    def rows(self, kind: int, packet: bytes, plan: Plan) -> None:
        update = kind in UPDATES
        change = plan.change
        if update and not change.updates:
            return
        at = BODY + 8
        if kind >= 30:
            at += int.from_bytes(packet[at : at + 2], "little")
        at += 1  # the number of columns, which the plan knows
        images = packet[at : at + plan.bitmap * (2 if update else 1)]
        at += len(images)
        if images not in plan.whole:
            self.note(f"rows of {plan.schema} were logged without all their columns (binlog_row_image is not FULL)")
            return
        end = len(packet) - self.checksum
        decode, line, schema, reading, pending = plan.decode, change.line, plan.schema, self.reading, self.pending
        file = self.files[change.table]
        commit = reading.commits + 1
        op = "update" if update else "insert" if kind in WRITES else "delete"
        while at < end:
            row, at = decode(packet, at)
            if update:
                after, at = decode(packet, at)
                text = line(op, schema, row, after)
            elif op == "insert":
                text = line(op, schema, (), row)
            else:
                text = line(op, schema, row, ())
            reading.changes += 1
            pending.append((file, f"{commit},{reading.changes},{text}"))

    def commit(self, packet: bytes) -> None:
        if not self.pending:
            return
        reading = self.reading
        reading.commits += 1
        at, precision = self.commit_time
        if not at:
            at = int.from_bytes(packet[1:5], "little") * SECOND
        offset = int.from_bytes(packet[14:18], "little")
        self.files["transactions"].add(f"{reading.commits},{self.file},{offset},{at},{precision}")
        for file, line in self.pending:
            file.add(line)
        reading.rows += len(self.pending)
        self.pending.clear()
        self.commit_time = (0, SECOND)
        if reading.commits % 1000 == 0:
            self.tell(reading.rows)

    def discard(self) -> None:
        """A transaction that never committed: rolled back, or cut off by a crash of the server."""
        self.reading.changes -= len(self.pending)
        self.pending.clear()

    def query(self, packet: bytes) -> None:
        body = packet[BODY : len(packet) - self.checksum]
        schema_length, variables = body[8], int.from_bytes(body[11:13], "little")
        schema_at = 13 + variables
        schema = body[schema_at : schema_at + schema_length].decode(errors="replace")
        statement = body[schema_at + schema_length + 1 :].decode(errors="replace").strip()
        word = _first_word(statement)
        if word in ("BEGIN", "SAVEPOINT", "RELEASE", "XA"):
            return
        if word == "COMMIT":
            self.commit(packet)
        elif word == "ROLLBACK":
            if " TO " not in statement.upper():
                self.discard()
        elif schema in SCHEMAS or any(name in statement for name in SCHEMAS):
            kind = STATEMENT_KINDS.get(word, "ddl")
            at = self.place(packet)
            fields = f"{self.reading.commits},{at.file},{at.offset},{quoted(schema)},{kind},{quoted(statement[:1000])}"
            self.files["binlog_statements"].add(fields)
            if kind == "truncate":
                self.note(f"a table was emptied by {statement[:100]!r} after the mark")
            elif kind == "dml":
                self.note(f"a change was logged as a statement ({statement[:60]!r}), not as rows (binlog_format is not ROW)")

    def format(self, packet: bytes) -> None:
        """The first event of a file: which of its events carry a checksum. What was open in the file before was cut off by a crash."""
        self.discard()
        self.current.clear()
        self.checksum = 4 if packet[-5] == 1 else 0
        self.opened = True

    def rotate(self, packet: bytes) -> bool:
        """The next file. The stream opens with one that names the file it begins in."""
        self.discard()
        if self.opened:
            name = packet[BODY + 8 : len(packet) - self.checksum]
            if not _FILE.fullmatch(name):
                raise BinlogUnreadable(f"the binlog goes on in a file of unknown name: {name!r}")
            self.file = name.decode()
        return Position(self.file, int.from_bytes(packet[BODY : BODY + 8], "little")) < self.stop


STATEMENT_KINDS = {"TRUNCATE": "truncate", **dict.fromkeys(("INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD"), "dml")}
_FILE = re.compile(rb"[^\x00]+\.\d{6,}")
_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*\n|#[^\n]*\n", re.DOTALL)


def _first_word(statement: str) -> str:
    return _COMMENT.sub(" ", statement).split(None, 1)[0].upper().rstrip(";") if statement else ""


def _gtid_time(packet: bytes) -> tuple[int, int]:
    """When MySQL committed: microseconds since 1970, in an event of version 8 and later; (0, …) in an older one."""
    at = BODY + 1 + 16 + 8 + 1 + 8 + 8
    if len(packet) < at + 7:
        return 0, SECOND
    return int.from_bytes(packet[at : at + 7], "little") & (1 << 55) - 1, MICROSECOND


def read(account: MysqlAccount, start: Position, stop: Position, folder: Path, tell: Callable[[int], None] = lambda rows: None) -> Reading:
    """Write the changes from `start` up to exactly `stop` into files in `folder`, named like their tables. `tell` hears how many rows
    have been read. Raises BinlogUnreadable when the log from `start` on is not there, OSError when the server is gone."""
    with TableFiles(folder, TABLES) as files:
        reader = _Reader(files, start, stop, tell, file=start.file)
        if start < stop:
            with packets(account, start) as stream:
                _read(reader, stream)
        reader.reading.end = stop
        return reader.reading


def _read(reader: _Reader, stream: Any) -> None:
    take = reader.take
    for packet in stream:
        if not take(packet):
            return
    raise BinlogUnreadable(f"the binlog ends before {reader.stop}, where the tables were read")
