"""The open transactions in MySQL or MariaDB.

The source is InnoDB's monitor. information_schema.innodb_trx is a cached copy that is refreshed only when nobody has read it for 100 ms. A
reader that polls faster than that (or two readers in turn) never sees a new transaction appear or an ended one disappear.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_LIST = "LIST OF TRANSACTIONS FOR EACH SESSION:"
_OPENED = re.compile(r"TRANSACTION \S+ ACTIVE(?: \([^)]*\))? (\d+) sec")
_CONNECTION = re.compile(r"^(?:MySQL|MariaDB) thread id (\d+),", re.MULTILINE)
_ROWS = re.compile(r"\b(\d+) row lock\(s\)")


@dataclass(frozen=True)
class Transaction:
    connection: int
    """The connection's id in the process list."""
    open_s: int
    """Seconds since it began, in whole seconds."""
    waits: bool
    """Whether it waits for a lock."""
    locked_rows: int


def open_transactions(cursor: Any) -> list[Transaction]:
    """Return the open transactions. Needs the PROCESS privilege. Raises OSError or the driver's error when the server does not answer."""
    cursor.execute("SHOW ENGINE INNODB STATUS")
    return list(_read(cursor.fetchone()[2]))


def _read(monitor: str) -> Iterator[Transaction]:
    """Parse the list of sessions only. The section on the last deadlock has transactions too, but those are history."""
    _, _, sessions = monitor.partition(_LIST)
    for session in re.split(r"^(?=---TRANSACTION|--------$)", sessions, flags=re.MULTILINE):
        opened, connection = _OPENED.search(session), _CONNECTION.search(session)
        if session.startswith("---TRANSACTION") and opened and connection:
            rows = _ROWS.search(session)
            yield Transaction(int(connection[1]), int(opened[1]), "\nLOCK WAIT " in session, int(rows[1]) if rows else 0)
