"""The transactions that are open in MySQL or MariaDB at this moment.

Read from InnoDB's monitor, because information_schema.innodb_trx is a copy that is renewed only when nobody has read it for 100 ms: to
somebody who looks more often (or to two who look in turn) an open transaction never shows, and an ended one never goes.
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
    """As in the process list."""
    open_s: int
    """Whole seconds since it began."""
    waits: bool
    """For a lock that somebody else holds."""
    locked_rows: int


def open_transactions(cursor: Any) -> list[Transaction]:
    """Needs the privilege PROCESS. Raises OSError or the driver's error when the server does not answer."""
    cursor.execute("SHOW ENGINE INNODB STATUS")
    return list(_read(cursor.fetchone()[2]))


def _read(monitor: str) -> Iterator[Transaction]:
    """Only the sessions' list: the last deadlock's transactions have their own section, and are history."""
    _, _, sessions = monitor.partition(_LIST)
    for session in re.split(r"^(?=---TRANSACTION|--------$)", sessions, flags=re.MULTILINE):
        opened, connection = _OPENED.search(session), _CONNECTION.search(session)
        if session.startswith("---TRANSACTION") and opened and connection:
            rows = _ROWS.search(session)
            yield Transaction(int(connection[1]), int(opened[1]), "\nLOCK WAIT " in session, int(rows[1]) if rows else 0)
