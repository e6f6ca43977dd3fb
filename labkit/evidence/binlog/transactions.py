"""Transactions in the binlog: which changes were committed, in which order.

A change is pending until its transaction is committed. It is discarded if the transaction is rolled back.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from labkit.evidence.binlog.events import SECOND
from labkit.evidence.binlog.statements import rolls_back_to_savepoint, savepoint_name, xa_parts
from labkit.evidence.table_files import TableFile, TableFiles

PROGRESS = 1000  # changes between two progress reports

Pending = list[tuple[TableFile, str]]
"""The changes of a transaction: the file that each is written to, and its line."""


@dataclass
class Transactions:
    """The transactions read so far. Committed changes go into the files; all other changes stay here.

    `note` receives a reason why changes are missing. `progress` receives the number of changes since its last call.
    """

    files: TableFiles
    note: Callable[[str], None]
    progress: Callable[[int], None]
    commits: int = 0
    changes: int = 0
    pending: Pending = field(default_factory=list)  # changes of the current transaction
    time: tuple[int, int] = (0, SECOND)  # commit time of the current transaction in microseconds, 0 if unknown; its precision
    _reported: int = 0
    _savepoints: dict[str, int] = field(default_factory=dict)  # number of pending changes at each savepoint
    _branch: str = ""  # the current XA transaction
    _prepared: dict[str, Pending] = field(default_factory=dict)  # XA transactions that are prepared and not yet ended

    def commit(self, file: str, offset: int, written_at: int) -> None:
        """Write the pending changes into the files, as one transaction that ends at this place in the binlog.

        `written_at` is the commit time in microseconds, in whole seconds, in case the server logged no better one.
        """
        self._savepoints.clear()
        if not self.pending:
            return
        self.commits += 1
        commit, change = self.commits, self.changes
        time, precision = self.time
        self.files["transactions"].add(f"{commit},{file},{offset},{time or written_at},{precision}")
        for table_file, line in self.pending:
            change += 1
            table_file.add(f"{commit},{change},{line}")
        self.changes = change
        self.pending.clear()
        self.time = (0, SECOND)
        if change - self._reported >= PROGRESS:
            self.progress(change - self._reported)
            self._reported = change

    def discard(self) -> None:
        """Drop a transaction that never committed because it was rolled back or the server crashed."""
        self.pending.clear()
        self._savepoints.clear()

    def set_savepoint(self, statement: str) -> None:
        self._savepoints[savepoint_name(statement)] = len(self.pending)

    def roll_back(self, statement: str) -> None:
        """Discard the current transaction, or its changes since a savepoint.

        Rows of a non-transactional table are not affected: the log holds them in separate transactions.
        """
        if not rolls_back_to_savepoint(statement):
            self.discard()
            return
        length = self._savepoints.get(savepoint_name(statement))
        if length is None:
            self.note(f"a transaction was rolled back to a savepoint that is not in the binlog ({statement[:60]!r})")
            length = 0
        del self.pending[length:]

    def prepare(self) -> None:
        """Set aside the changes of a prepared XA transaction.

        The log holds them at the point of XA PREPARE. A later XA COMMIT or XA ROLLBACK decides whether and when they take effect.
        """
        self._prepared[self._branch] = list(self.pending)
        self.discard()

    def xa(self, statement: str) -> bool:
        """Handle an XA statement. Return whether it commits the pending changes: those of a transaction that was prepared earlier."""
        verb, branch = xa_parts(statement)
        if verb in ("START", "BEGIN", "END"):
            self._branch = branch
        if verb not in ("COMMIT", "ROLLBACK"):
            return False
        prepared = self._prepared.pop(branch, None)
        if verb == "ROLLBACK":
            return False
        if prepared is None:
            self.note("an XA transaction was committed that was prepared before the mark, and its changes are not known")
            return False
        self.pending.extend(prepared)
        return True
