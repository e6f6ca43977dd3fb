"""Find out whether a part of the binlog changed the application's tables. A service may write to other tables of its own at any time."""

from labkit.evidence.binlog import events
from labkit.evidence.binlog.events import BODY, TYPE
from labkit.evidence.binlog.replication import BinlogUnreadable, Position, packets
from labkit.evidence.binlog.statements import first_word
from labkit.evidence.binlog.table_map import table_name
from labkit.stack.model import Stack
from labkit.system import messaging
from labkit.system.model import Profile

FARTHEST = 8 << 20  # bytes of log that are searched; a heartbeat writes far less
WITHIN_TRANSACTIONS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "XA")


def wrote_application_tables(stack: Stack, start: Position, stop: Position) -> bool:
    """Whether an application's table changed between the two positions; True if that is unknown.

    Raises OSError if the server is gone.
    """
    tables = _application_tables(stack.profile)
    if start.file == stop.file and stop.offset - start.offset > FARTHEST:
        return True
    checksum, file = 0, start.file
    try:
        with packets(stack.observer, start) as stream:
            for packet in stream:
                kind = packet[TYPE]
                if kind == events.FORMAT_DESCRIPTION:
                    checksum = events.checksum_size(packet)
                elif kind == events.ROTATE:
                    file = events.next_file(packet, 0)[0].decode(errors="replace")[: len(stop.file)]
                elif kind == events.TABLE_MAP:
                    if table_name(packet[BODY + 8 :]) in tables:
                        return True
                elif kind == events.QUERY:
                    if _writes(events.statement_of(packet, checksum)[1], tables):
                        return True
                elif kind in events.UNREADABLE:
                    return True
                if Position(file, events.end_offset(packet)) >= stop:
                    return False
    except BinlogUnreadable:
        return True
    return False


def _application_tables(profile: Profile) -> frozenset[tuple[str, str]]:
    """Return (schema, table) of the application's tables."""
    of_messaging = {(schema, table) for schema in profile.schemas for table in messaging.TABLES}
    return frozenset({*((table.schema, table.table) for table in profile.tables), *of_messaging})


def _writes(statement: str, tables: frozenset[tuple[str, str]]) -> bool:
    """Whether a statement affects one of the tables. XA COMMIT does: it applies rows that were written earlier."""
    word = first_word(statement)
    if word in WITHIN_TRANSACTIONS:
        return word == "XA" and "COMMIT" in statement.upper()
    return any(table in statement for _, table in tables)
