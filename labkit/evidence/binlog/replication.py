"""Read the binlog as a replica does: over the replication protocol, from one position up to another.

https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_binlog_dump.html
https://mariadb.com/kb/en/com_binlog_dump/
"""

import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from labkit.account import Account
from labkit.evidence.binlog.packets import packet
from labkit.stack import sql

READ_BUFFER = 1 << 20
TIMEOUT = 30.0  # seconds that the server may stay silent
COM_BINLOG_DUMP = 0x12
NON_BLOCKING = 1  # the server ends the stream at the end of the log instead of waiting
PURGED_OR_GONE = 1236  # ER_MASTER_FATAL_ERROR_READING_BINLOG


@dataclass(frozen=True, order=True)
class Position:
    """A place in the binlog. File names sort correctly because their numbers have leading zeros."""

    file: str
    offset: int

    def __str__(self) -> str:
        return f"{self.file}:{self.offset}"


class BinlogUnreadable(Exception):
    """Why the row changes cannot be read: a sentence without a full stop."""


@contextmanager
def packets(account: Account, start: Position) -> Iterator[Iterator[bytes]]:
    """Open the stream of packets from `start` to the end of the log, each an OK byte and an event.

    Raises BinlogUnreadable if the server no longer has that position, OSError if the server is gone.
    """
    with sql.connected(account, TIMEOUT) as cursor:
        _announce(cursor)
        connection = cursor.connection
        # Each replica needs a unique id: the server disconnects a replica when another one with the same id connects.
        server_id = 0x4000_0000 + secrets.randbelow(0x8000_0000)
        body = struct.pack("<BIHI", COM_BINLOG_DUMP, start.offset, NON_BLOCKING, server_id) + start.file.encode()
        connection._write_bytes(len(body).to_bytes(3, "little") + b"\0" + body)
        with connection._sock.makefile("rb", buffering=READ_BUFFER) as stream:
            yield _packets(stream)


def _announce(cursor: Any) -> None:
    """Announce what this replica understands: checksums (each file says whether it has them) and MariaDB's own events."""
    cursor.execute(
        "SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = @@global.binlog_checksum,"
        " @mariadb_slave_capability = 4"
    )


def _packets(stream: Any) -> Iterator[bytes]:
    read = stream.read
    while True:
        data = packet(read)
        if data[0] == 0:
            yield data
        elif data[0] == 0xFE and len(data) < 9:
            return
        else:
            raise _refusal(data)


def _refusal(packet: bytes) -> Exception:
    code = int.from_bytes(packet[1:3], "little")
    text = packet[3:].decode(errors="replace")
    text = text[6:] if text.startswith("#") else text
    if code == PURGED_OR_GONE:
        return BinlogUnreadable(f"the binlog from the mark on is no longer there: the server says {text!r}")
    return OSError(f"the server refused its binlog: {text} ({code})")
