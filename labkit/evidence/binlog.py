"""Read the row changes of the services' schemas from the binlog, in commit order, with their transactions.

Only the changes that the invariants need are decoded. Three quarters of the log are outbox rows that the relay marked as published; the
reader skips them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.account import Account
from labkit.evidence import changes, charsets
from labkit.evidence.changes import Change, Wanted
from labkit.evidence.charsets import Charsets
from labkit.evidence.replication import BinlogUnreadable, Position, packets
from labkit.evidence.row_format import ALIVE, Decoder, TableMap, Unsupported, decoder, is_versioned, table_map, table_name
from labkit.evidence.table_files import TableFile, TableFiles, quoted
from labkit.stack import sql
from labkit.system.model import Profile

# Event types by their number in the protocol.
QUERY, STOP, ROTATE, FORMAT_DESCRIPTION, XID, EXECUTE_LOAD, TABLE_MAP, INCIDENT, XA_PREPARE = 2, 3, 4, 15, 16, 18, 19, 26, 38
GTID, ANONYMOUS_GTID, PARTIAL_UPDATE, TRANSACTION_PAYLOAD = 33, 34, 39, 40
WRITES, UPDATES, DELETES = (23, 30), (24, 31), (25, 32)  # version 1 (MariaDB), version 2 (MySQL)
ROWS = (*WRITES, *UPDATES, *DELETES)
COMPRESSED = range(165, 172)  # MariaDB's log_bin_compress: a query, and rows of both versions
BODY = 20  # offset of an event's body in its packet, after the OK byte and the event header
SECOND, MICROSECOND = 1_000_000, 1


@dataclass
class Plan:
    """How to read the rows that follow a TABLE_MAP event.

    `decoders` is keyed by the bitmap of the columns that the rows contain. MySQL sets the unused bits of that bitmap and MariaDB does not;
    neither logs a column that is computed on reading.
    """

    schema: str
    table: TableMap
    change: Change
    versioned: bool
    bitmap: int  # bytes in a bitmap with one bit for each column
    decoders: dict[bytes, Decoder | None] = field(default_factory=dict)


Pending = list[tuple[TableFile, str]]


@dataclass
class Reading:
    """Totals for the committed transactions that were read."""

    commits: int = 0
    changes: int = 0
    reason: str | None = None  # why changes are missing; None when all were read
    end: Position | None = None


@dataclass
class _Reader:
    wanted: Wanted
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
    pending: Pending = field(default_factory=list)  # changes of the current transaction
    savepoints: dict[str, int] = field(default_factory=dict)  # number of pending changes at each savepoint
    branch: str = ""  # the current XA transaction
    prepared: dict[str, Pending] = field(default_factory=dict)  # XA transactions that are prepared and not yet ended
    charsets: Charsets = field(default_factory=dict)
    commit_time: tuple[int, int] = (0, SECOND)

    def __post_init__(self) -> None:
        self.schemas = {schema for schema, _ in self.wanted}

    def names_wanted(self, statement: str) -> bool:
        """Whether the statement names a table that verdicts depend on."""
        return not {table for _, table in self.wanted}.isdisjoint(re.findall(r"\w+", statement))

    def note(self, reason: str) -> None:
        self.reading.reason = self.reading.reason or reason

    def take(self, packet: bytes) -> bool:
        """Handle one event. Return False once the stop position is reached."""
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
        elif kind == XA_PREPARE:
            self.prepare(packet)
        elif kind == QUERY:
            self.query(packet)
        elif kind == FORMAT_DESCRIPTION:
            self.format(packet)
        elif kind == ROTATE:
            return self.rotate(packet)
        elif kind in (GTID, ANONYMOUS_GTID):
            self.commit_time = _gtid_time(packet)
        elif kind == INCIDENT:
            self.note(f"the server itself says in {self.file} that changes are missing from its binlog")
        elif kind == EXECUTE_LOAD:
            self.note("a change was logged as a statement (LOAD DATA), not as rows (binlog_format is not ROW)")
        elif kind in (PARTIAL_UPDATE, TRANSACTION_PAYLOAD) or kind in COMPRESSED:
            self.note(f"the binlog is compressed or holds partial rows (event {kind} in {self.file}), which labkit does not read")
        return self.place(packet) < self.stop

    def place(self, packet: bytes) -> Position:
        """Return the position where this event ends."""
        offset = int.from_bytes(packet[14:18], "little")
        return Position(self.file, offset)

    def plan(self, described: bytes) -> Plan | None:
        schema, table = table_name(described)
        change = self.wanted.get((schema, table))
        if change is None:
            return None
        try:
            found = table_map(described, self.charsets)
        except Unsupported as unsupported:
            self.note(str(unsupported))
            return None
        if not found.columns[0].name:
            self.note(f"the binlog does not name the columns of {schema}.{table} (binlog_row_metadata is not FULL)")
            return None
        return Plan(schema, found, change, is_versioned(found), (len(found.columns) + 7) // 8)

    def decoder(self, plan: Plan, present: bytes) -> Decoder | None:
        """Return a decoder for rows that contain these columns, or None if they lack a wanted column."""
        wanted = (*plan.change.columns, *((ALIVE,) if plan.versioned else ()))
        try:
            return decoder(plan.table, wanted, int.from_bytes(present, "little"), plan.change.raw)
        except Unsupported as unsupported:
            self.note(str(unsupported))
            return None

    def rows(self, kind: int, packet: bytes, plan: Plan) -> None:
        update = kind in UPDATES
        change, pending, file = plan.change, self.pending, self.files[plan.change.table]
        at = BODY + 8
        if kind >= 30:
            at += int.from_bytes(packet[at : at + 2], "little")
        at += 1  # skip the number of columns, which the plan already holds
        decoders = []
        for _ in range(2 if update else 1):
            present = packet[at : at + plan.bitmap]
            at += plan.bitmap
            if present not in plan.decoders:
                plan.decoders[present] = self.decoder(plan, present)
            decoders.append(plan.decoders[present])
        decode, decode_after = decoders[0], decoders[-1]
        if decode is None or decode_after is None or (update and not change.updates):
            return
        end = len(packet) - self.checksum
        line, schema, versioned = change.line, plan.schema, plan.versioned
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

    def commit(self, packet: bytes) -> None:
        pending = self.pending
        self.savepoints.clear()
        if not pending:
            return
        reading = self.reading
        reading.commits += 1
        commit, change = reading.commits, reading.changes
        at, precision = self.commit_time
        if not at:
            at = int.from_bytes(packet[1:5], "little") * SECOND
        offset = int.from_bytes(packet[14:18], "little")
        self.files["transactions"].add(f"{commit},{self.file},{offset},{at},{precision}")
        for file, line in pending:
            change += 1
            file.add(f"{commit},{change},{line}")
        reading.changes = change
        pending.clear()
        self.commit_time = (0, SECOND)
        if commit % 1000 == 0:
            self.tell(change)

    def discard(self) -> None:
        """Drop a transaction that never committed because it was rolled back or the server crashed."""
        self.pending.clear()
        self.savepoints.clear()

    def prepare(self, packet: bytes) -> None:
        """Set aside the rows of a prepared XA transaction.

        The log holds them at the point of XA PREPARE. A later XA COMMIT or XA ROLLBACK decides whether and when they take effect.
        """
        if packet[BODY]:  # XA COMMIT … ONE PHASE
            self.commit(packet)
            return
        self.prepared[self.branch] = list(self.pending)
        self.discard()

    def end_branch(self, packet: bytes, statement: str) -> None:
        """Handle the XA COMMIT or XA ROLLBACK of a transaction that was prepared earlier."""
        _, verb, branch = _xa(statement)
        known = self.prepared.pop(branch, None)
        if verb == "COMMIT" and known is None:
            self.note("an XA transaction was committed that was prepared before the mark, and its changes are not known")
        elif verb == "COMMIT" and known:
            self.pending.extend(known)
            self.commit(packet)

    def query(self, packet: bytes) -> None:
        schema, statement = statement_of(packet, self.checksum)
        word = first_word(statement)
        if word in ("BEGIN", "RELEASE"):
            return
        if word == "COMMIT":
            self.commit(packet)
        elif word == "SAVEPOINT":
            self.savepoints[_savepoint(statement)] = len(self.pending)
        elif word == "ROLLBACK":
            self.roll_back(statement)
        elif word == "XA":
            self.xa(packet, statement)
        elif schema in self.schemas or any(name in statement for name in self.schemas):
            kind = STATEMENT_KINDS.get(word, "ddl")
            at = self.place(packet)
            fields = f"{self.reading.commits},{at.file},{at.offset},{quoted(schema)},{kind},{quoted(statement[:1000])}"
            self.files["binlog_statements"].add(fields)
            if kind == "truncate":
                self.note(f"a table was emptied by {statement[:100]!r} after the mark")
            elif kind == "ddl" and (engine := _ENGINE.search(statement)) and engine[1].upper() != "INNODB" and self.names_wanted(statement):
                self.note(f"a table was given to {engine[1]}, which knows no transactions, by {statement[:100]!r} after the mark")
            elif kind == "dml":
                self.note(f"a change was logged as a statement ({statement[:60]!r}), not as rows (binlog_format is not ROW)")

    def xa(self, packet: bytes, statement: str) -> None:
        _, verb, branch = _xa(statement)
        if verb in ("START", "BEGIN", "END"):
            self.branch = branch
        elif verb in ("COMMIT", "ROLLBACK"):
            self.end_branch(packet, statement)

    def roll_back(self, statement: str) -> None:
        """Discard the current transaction, or its changes since a savepoint.

        Rows of a non-transactional table are not affected: the log holds them in separate transactions.
        """
        if not _TO.search(statement):
            self.discard()
            return
        kept = self.savepoints.get(_savepoint(statement))
        if kept is None:
            self.note(f"a transaction was rolled back to a savepoint that is not in the binlog ({statement[:60]!r})")
            kept = 0
        del self.pending[kept:]

    def format(self, packet: bytes) -> None:
        """Handle the first event of a file, which says whether the file's events carry a checksum.

        A transaction that is still open at the end of the previous file was cut off by a crash.
        """
        self.discard()
        self.current.clear()
        self.checksum = 4 if packet[-5] == 1 else 0
        self.opened = True

    def rotate(self, packet: bytes) -> bool:
        """Move on to the next file. The stream starts with a ROTATE event that names its first file."""
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


_TO = re.compile(r"^\s*ROLLBACK\b.*?\bTO\b", re.IGNORECASE | re.DOTALL)
_ENGINE = re.compile(r"\bENGINE\s*=?\s*[`'\"]?(\w+)", re.IGNORECASE)


def _savepoint(statement: str) -> str:
    """Return the savepoint's name: the statement's last word, without quotes and in lower case."""
    return statement.rstrip("; \n").rpartition("`")[0].rpartition("`")[2].lower() or statement.split()[-1].rstrip(";").lower()


def _xa(statement: str) -> tuple[str, str, str]:
    """Return `XA`, the verb and the transaction's id, as the server writes them."""
    word, verb, *branch = _COMMENT.sub(" ", statement).rstrip("; \n").split(None, 2)
    return word, verb.upper(), "".join("".join(branch).upper().split())


def statement_of(packet: bytes, checksum: int) -> tuple[str, str]:
    """Return the current schema and the statement of a QUERY event."""
    body = packet[BODY : len(packet) - checksum]
    schema_length, variables = body[8], int.from_bytes(body[11:13], "little")
    schema_at = 13 + variables
    schema = body[schema_at : schema_at + schema_length].decode(errors="replace")
    return schema, body[schema_at + schema_length + 1 :].decode(errors="replace").strip()


def first_word(statement: str) -> str:
    return _COMMENT.sub(" ", statement).split(None, 1)[0].upper().rstrip(";") if statement else ""


def _gtid_time(packet: bytes) -> tuple[int, int]:
    """Return the commit time in microseconds since 1970 and its precision.

    MySQL 8 and later log the time; for older servers the time is 0.
    """
    at = BODY + 1 + 16 + 8 + 1 + 8 + 8
    if len(packet) < at + 7:
        return 0, SECOND
    return int.from_bytes(packet[at : at + 7], "little") & (1 << 55) - 1, MICROSECOND


def read(
    account: Account, profile: Profile, start: Position, stop: Position, folder: Path, tell: Callable[[int], None] = lambda rows: None
) -> Reading:
    """Write the changes from `start` up to exactly `stop` into files in `folder`, one file for each table and named after it.

    `tell` receives the number of changes read so far. Raises BinlogUnreadable if the log no longer holds `start`, OSError if the server is
    gone.
    """
    with TableFiles(folder, ("transactions", "binlog_statements", *changes.tables(profile))) as files:
        with sql.connected(account) as cursor:
            known = charsets.read(cursor)
        reader = _Reader(changes.wanted(profile), files, start, stop, tell, file=start.file, charsets=known)
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
