"""Tell whether a part of the binlog changed the application's tables. A service may write to other tables of its own at any time."""

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
from labkit.evidence.replication import BinlogUnreadable, Position, packets
from labkit.evidence.row_format import table_name
from labkit.stack.model import Stack
from labkit.system import messaging
from labkit.system.model import Profile

FARTHEST = 8 << 20  # bytes of log that are searched; a heartbeat writes far less
WITHIN_TRANSACTIONS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "XA")


def touched(stack: Stack, start: Position, stop: Position) -> bool:
    """Whether an own table changed between the two positions; True if that is unknown. Raises OSError if the server is gone."""
    own = _own(stack.profile)
    if start.file == stop.file and stop.offset - start.offset > FARTHEST:
        return True
    checksum, file = 0, start.file
    try:
        with packets(stack.observer, start) as stream:
            for packet in stream:
                kind = packet[5]
                if kind == FORMAT_DESCRIPTION:
                    checksum = 4 if packet[-5] == 1 else 0
                elif kind == ROTATE:
                    file = packet[BODY + 8 :].decode(errors="replace")[: len(stop.file)]
                elif kind == TABLE_MAP:
                    if table_name(packet[BODY + 8 :]) in own:
                        return True
                elif kind == QUERY:
                    if _is_own(statement_of(packet, checksum)[1], own):
                        return True
                elif kind in (PARTIAL_UPDATE, TRANSACTION_PAYLOAD) or kind in COMPRESSED:
                    return True
                if Position(file, int.from_bytes(packet[14:18], "little")) >= stop:
                    return False
    except BinlogUnreadable:
        return True
    return False


def _own(profile: Profile) -> frozenset[tuple[str, str]]:
    """Return (schema, table) of the application's tables."""
    of_messaging = {(schema, table) for schema in profile.schemas for table in messaging.TABLES}
    return frozenset({*((table.schema, table.table) for table in profile.tables), *of_messaging})


def _is_own(statement: str, own: frozenset[tuple[str, str]]) -> bool:
    """Whether a statement affects an own table. XA COMMIT does: it applies rows that were written earlier."""
    word = first_word(statement)
    if word in WITHIN_TRANSACTIONS:
        return word == "XA" and "COMMIT" in statement.upper()
    return any(table in statement for _, table in own)
