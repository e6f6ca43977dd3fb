"""The binlog's events: the numbers of their types, and the fields that labkit reads.

An event comes in a packet: an OK byte, an event header of 19 bytes, the event's body, and a checksum if the file has checksums.

https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html
https://mariadb.com/kb/en/2-binlog-event-header/
"""

# Event types by their number in the protocol.
QUERY, ROTATE, FORMAT_DESCRIPTION, XID, EXECUTE_LOAD, TABLE_MAP, INCIDENT, XA_PREPARE = 2, 4, 15, 16, 18, 19, 26, 38
GTID, ANONYMOUS_GTID, PARTIAL_UPDATE, TRANSACTION_PAYLOAD = 33, 34, 39, 40
WRITES, UPDATES, DELETES = (23, 30), (24, 31), (25, 32)  # version 1 (MariaDB), version 2 (MySQL)
ROWS = (*WRITES, *UPDATES, *DELETES)
COMPRESSED = range(165, 172)  # MariaDB's log_bin_compress: a query, and rows of both versions
UNREADABLE = frozenset({PARTIAL_UPDATE, TRANSACTION_PAYLOAD, *COMPRESSED})  # events with changes that labkit cannot read

TYPE = 5  # offset of the event's type in its packet
BODY = 20  # offset of the event's body
SECOND, MICROSECOND = 1_000_000, 1  # precision of a commit time, in microseconds


def end_offset(packet: bytes) -> int:
    """Return the offset in the binlog file at which the event ends."""
    return int.from_bytes(packet[14:18], "little")


def written_at(packet: bytes) -> int:
    """Return the time in the event header in microseconds since 1970. It has whole seconds."""
    return int.from_bytes(packet[1:5], "little") * SECOND


def checksum_size(format_description: bytes) -> int:
    """Return the number of bytes that a checksum takes at the end of each event of the file."""
    return 4 if format_description[-5] == 1 else 0


def next_file(rotate: bytes, checksum: int) -> tuple[bytes, int]:
    """Return the name of the next file and the offset in it, from a ROTATE event."""
    return rotate[BODY + 8 : len(rotate) - checksum], int.from_bytes(rotate[BODY : BODY + 8], "little")


def commit_time(gtid: bytes) -> tuple[int, int]:
    """Return the commit time in microseconds since 1970 and its precision, from a GTID event.

    MySQL 8 and later log the time; for older servers the time is 0.
    """
    at = BODY + 1 + 16 + 8 + 1 + 8 + 8
    if len(gtid) < at + 7:
        return 0, SECOND
    return int.from_bytes(gtid[at : at + 7], "little") & (1 << 55) - 1, MICROSECOND


def statement_of(query: bytes, checksum: int) -> tuple[str, str]:
    """Return the current schema and the statement of a QUERY event."""
    body = query[BODY : len(query) - checksum]
    schema_length, variables = body[8], int.from_bytes(body[11:13], "little")
    schema_at = 13 + variables
    schema = body[schema_at : schema_at + schema_length].decode(errors="replace")
    return schema, body[schema_at + schema_length + 1 :].decode(errors="replace").strip()
