"""Read the row changes of the services' schemas from the binlog, in commit order, with their transactions."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.account import Account
from labkit.evidence.binlog import changes, charsets, events
from labkit.evidence.binlog.events import BODY, ROWS, TABLE_MAP, TYPE
from labkit.evidence.binlog.replication import BinlogUnreadable, Position, packets
from labkit.evidence.binlog.row_changes import Plan, RowChanges
from labkit.evidence.binlog.statements import KINDS, first_word, lost_changes
from labkit.evidence.binlog.transactions import Transactions
from labkit.evidence.table_files import TableFiles, quoted
from labkit.stack import sql
from labkit.system.model import Profile

_FILE = re.compile(rb"[^\x00]+\.\d{6,}")


@dataclass(frozen=True)
class Reading:
    """The result: totals for the committed transactions that were read."""

    commits: int
    changes: int
    reason: str | None  # why changes are missing; None when all were read


def read(
    account: Account,
    profile: Profile,
    start: Position,
    stop: Position,
    folder: Path,
    progress: Callable[[int], None] = lambda changes: None,
) -> Reading:
    """Write the changes from `start` up to exactly `stop` into files in `folder`, one file for each table and named after it.

    `progress` receives the number of changes since its last call. Raises BinlogUnreadable if the log no longer holds `start`, OSError if
    the server is gone.
    """
    with TableFiles(folder, ("transactions", "binlog_statements", *changes.tables(profile))) as files:
        with sql.connected(account) as cursor:
            known = charsets.read(cursor)
        reader = _Reader(changes.wanted(profile), known, files, start, stop, progress)
        if start < stop:
            with packets(account, start) as stream:
                reader.read(stream)
        return Reading(reader.transactions.commits, reader.transactions.changes, reader.reason)


class _Reader:
    """Handles one event after the other."""

    def __init__(
        self,
        wanted: changes.Wanted,
        known: charsets.Charsets,
        files: TableFiles,
        start: Position,
        stop: Position,
        progress: Callable[[int], None],
    ) -> None:
        self.files, self.stop = files, stop
        self.reason: str | None = None
        self.transactions = Transactions(files, self.note, progress)
        self._rows = RowChanges(wanted, known, files, self.note)
        self._schemas = {schema for schema, _ in wanted}
        self._tables = {table for _, table in wanted}
        self._file = start.file
        self._in_file = False  # whether the first event of a file was read
        self._checksum = 0
        self._plans: dict[bytes, Plan | None] = {}  # by the table's description
        self._current: dict[bytes, Plan | None] = {}  # by the table's id in the current file

    def read(self, stream: Iterator[bytes]) -> None:
        """Handle the events up to the stop position. Raises BinlogUnreadable if the stream ends before it."""
        take = self._take
        for packet in stream:
            if not take(packet):
                return
        raise BinlogUnreadable(f"the binlog ends before {self.stop}, where the tables were read")

    def note(self, reason: str) -> None:
        """Remember why changes are missing. The first reason counts."""
        self.reason = self.reason or reason

    def _take(self, packet: bytes) -> bool:
        """Handle one event. Return False once the stop position is reached."""
        kind = packet[TYPE]
        if kind == TABLE_MAP:
            description = packet[BODY + 8 : len(packet) - self._checksum]
            try:
                self._current[packet[BODY : BODY + 6]] = self._plans[description]
            except KeyError:
                self._current[packet[BODY : BODY + 6]] = self._plans[description] = self._rows.plan(description)
            return True
        if kind in ROWS:
            plan = self._current.get(packet[BODY : BODY + 6])
            if plan is not None:
                self._rows.read(packet, len(packet) - self._checksum, plan, self.transactions.pending)
            return True
        if kind == events.XID:
            self._commit(packet)
        elif kind == events.XA_PREPARE:
            if packet[BODY]:  # XA COMMIT … ONE PHASE
                self._commit(packet)
            else:
                self.transactions.prepare()
        elif kind == events.QUERY:
            self._query(packet)
        elif kind == events.FORMAT_DESCRIPTION:
            self._begin_file(packet)
        elif kind == events.ROTATE:
            return self._end_file(packet)
        elif kind in (events.GTID, events.ANONYMOUS_GTID):
            self.transactions.time = events.commit_time(packet)
        elif kind == events.INCIDENT:
            self.note(f"the server itself says in {self._file} that changes are missing from its binlog")
        elif kind == events.EXECUTE_LOAD:
            self.note("a change was logged as a statement (LOAD DATA), not as rows (binlog_format is not ROW)")
        elif kind in events.UNREADABLE:
            self.note(f"the binlog is compressed or holds partial rows (event {kind} in {self._file}), which labkit does not read")
        return Position(self._file, events.end_offset(packet)) < self.stop

    def _commit(self, packet: bytes) -> None:
        self.transactions.commit(self._file, events.end_offset(packet), events.written_at(packet))

    def _query(self, packet: bytes) -> None:
        """Handle a statement: it controls the transaction, or changes schemas or rows."""
        schema, statement = events.statement_of(packet, self._checksum)
        match first_word(statement):
            case "BEGIN" | "RELEASE":
                pass
            case "COMMIT":
                self._commit(packet)
            case "SAVEPOINT":
                self.transactions.set_savepoint(statement)
            case "ROLLBACK":
                self.transactions.roll_back(statement)
            case "XA":
                if self.transactions.xa(statement):
                    self._commit(packet)
            case word if schema in self._schemas or any(name in statement for name in self._schemas):
                kind = KINDS.get(word, "ddl")
                place = f"{self.transactions.commits},{self._file},{events.end_offset(packet)}"
                self.files["binlog_statements"].add(f"{place},{quoted(schema)},{kind},{quoted(statement[:1000])}")
                if reason := lost_changes(kind, statement, self._tables):
                    self.note(reason)

    def _begin_file(self, packet: bytes) -> None:
        """Handle the first event of a file.

        A transaction that is still open at the end of the previous file was cut off by a crash.
        """
        self.transactions.discard()
        self._current.clear()
        self._checksum = events.checksum_size(packet)
        self._in_file = True

    def _end_file(self, packet: bytes) -> bool:
        """Move on to the next file. The stream starts with a ROTATE event that names its first file."""
        self.transactions.discard()
        name, offset = events.next_file(packet, self._checksum)
        if self._in_file:
            if not _FILE.fullmatch(name):
                raise BinlogUnreadable(f"the binlog goes on in a file of unknown name: {name!r}")
            self._file = name.decode()
        return Position(self._file, offset) < self.stop
