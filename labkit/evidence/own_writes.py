"""Did anything between two places of the binlog touch the application's tables? What a service keeps beside them may move all the time."""

from labkit.evidence.binlog import (
    BODY,
    COMPRESSED,
    FORMAT_DESCRIPTION,
    PARTIAL_UPDATE,
    QUERY,
    ROTATE,
    TABLE_MAP,
    TRANSACTION_PAYLOAD,
    first_word,
    statement_of,
)
from labkit.evidence.changes import WANTED
from labkit.evidence.replication import BinlogUnreadable, Position, packets
from labkit.evidence.row_format import table_name
from labkit.stack.model import SCHEMAS, Account

OWN = frozenset({*WANTED, *((schema, table) for schema in SCHEMAS for table in ("dead_letter", "saga_instance"))})
NAMES = frozenset(table for _, table in OWN)
FARTHEST = 8 << 20  # bytes of log that are looked through: so much was written by more than a heartbeat
WITHIN_TRANSACTIONS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "XA")


def touched(account: Account, start: Position, stop: Position) -> bool:
    """True also where it cannot be told. Raises OSError when the server is gone."""
    if start.file == stop.file and stop.offset - start.offset > FARTHEST:
        return True
    checksum, file = 0, start.file
    try:
        with packets(account, start) as stream:
            for packet in stream:
                kind = packet[5]
                if kind == FORMAT_DESCRIPTION:
                    checksum = 4 if packet[-5] == 1 else 0
                elif kind == ROTATE:
                    file = packet[BODY + 8 :].decode(errors="replace")[: len(stop.file)]
                elif kind == TABLE_MAP:
                    if table_name(packet[BODY + 8 :]) in OWN:
                        return True
                elif kind == QUERY:
                    if _is_own(statement_of(packet, checksum)[1]):
                        return True
                elif kind in (PARTIAL_UPDATE, TRANSACTION_PAYLOAD) or kind in COMPRESSED:
                    return True
                if Position(file, int.from_bytes(packet[14:18], "little")) >= stop:
                    return False
    except BinlogUnreadable:
        return True
    return False


def _is_own(statement: str) -> bool:
    """The end of an XA transaction makes rows count that were written before."""
    word = first_word(statement)
    if word in WITHIN_TRANSACTIONS:
        return word == "XA" and "COMMIT" in statement.upper()
    return any(name in statement for name in NAMES)
