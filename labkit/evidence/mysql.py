"""Both schemas as of one moment whose binlog position is known, written as files for the evidence."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.evidence import messages
from labkit.evidence.replication import Position
from labkit.evidence.table_files import LONGEST, TableFiles, number, optional, quoted
from labkit.stack import sql
from labkit.stack.model import SCHEMAS, MysqlAccount

TIMEOUT = 60.0  # seconds the server may be silent
READ_BUFFER = 1 << 20
SNAPSHOT_TRIES = 20
COM_QUERY = 3
TABLES = ("customers", "orders", "reservations", "outbox", "inbox", "dead_letters", "saga_instances")
Row = list[bytes | None]


@dataclass
class Tables:
    """What was read. `missing` are tables that every service has and this database has not."""

    position: Position
    kind: str
    version: str
    missing: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def _as_sent(_: str, row: Row) -> str:
    """A line that the server has made: for tables of many rows and few texts that saves most of the work here."""
    return (row[0] or b"").decode(errors="replace")


_QUOTE = "CHAR(2 USING utf8mb4)"
TEXT = f"IFNULL(CONCAT({_QUOTE}, REPLACE({{0}}, {_QUOTE}, CONCAT({_QUOTE}, {_QUOTE})), {_QUOTE}), '')"
PLAIN, MILLISECONDS = "IFNULL({0}, '')", "IFNULL(CONCAT({0}, '000'), '')"
REASON = "IFNULL(ELT({0} + 1, 'INSUFFICIENT_CREDIT', 'UNKNOWN_CUSTOMER'), IFNULL({0}, ''))"


@dataclass(frozen=True)
class Source:
    """A table of a service and what becomes of its rows. With `forms`, one for each column, the server makes the lines."""

    table: str
    schemas: tuple[str, ...]
    columns: tuple[str, ...]
    into: str
    line: Callable[[str, Row], str] = _as_sent
    forms: tuple[str, ...] = ()
    required: bool = True


def _customer(_: str, row: Row) -> str:
    return f"{_number(row[0])},{_text(row[1])},{_number(row[2])},{_ms(row[3])},{_number(row[4])}"


def _message(schema: str, row: Row) -> str:
    message_id, destination, headers, payload, published, created = row
    about = messages.about(headers or b"", payload or b"")
    topic = (destination or b"").decode(errors="replace")
    usual = about.destination == topic and about.message_id == (message_id or b"").decode(errors="replace")
    return (
        f"{schema},{_text(message_id)},{quoted(topic)},{quoted(messages.channel(topic))},{_about(about)},"
        f"{'' if usual else _text(headers)},{_text(payload)},{'true' if published not in (None, b'0') else 'false'},{_ms(created)}"
    )


def _about(about: messages.About) -> str:
    a = about
    ids = f"{number(a.aggregate_id)},{number(a.order_id)},{number(a.customer_id)}"
    return f"{optional(a.key)},{optional(a.event_type)},{optional(a.event)},{ids},{a.total or ''}"


def _dead_letter(schema: str, row: Row) -> str:
    subscriber, channel, partition, position, index, message_id, cause, key, value, created = row
    place = f"{_text(subscriber)},{_text(channel)},{_number(partition)},{_number(position)},{_number(index)}"
    return f"mysql,{schema},{place},{_text(message_id)},{_text(cause)},{_number(key)},{_number(value)},{_ms(created)}"


def _saga(schema: str, row: Row) -> str:
    saga_type, saga_id, state, request, end, compensating, failed, data = row
    flags = ",".join("" if flag is None else "true" if flag in (b"1", b"\1") else "false" for flag in (end, compensating, failed))
    order_id = messages.about(b"{}", data or b"").order_id
    return f"{schema},{_text(saga_type)},{_text(saga_id)},{_text(state)},{_text(request)},{flags},{number(order_id)},{_text(data)}"


SOURCES = (
    Source("customer", ("customer_db",), ("id", "name", "amount", "creation_time", "version"), "customers", _customer),
    Source(
        "orders",
        ("order_db",),
        ("id", "customer_id", "amount", "state", "rejection_reason", "version"),
        "orders",
        forms=(PLAIN, PLAIN, PLAIN, TEXT, REASON, PLAIN),
    ),
    Source(
        "customer_credit_reservations",
        ("customer_db",),
        ("customer_id", "credit_reservations_key", "amount"),
        "reservations",
        forms=(PLAIN, PLAIN, PLAIN),
    ),
    Source("message", SCHEMAS, ("id", "destination", "headers", "payload", "published", "creation_time"), "outbox", _message),
    Source("received_messages", SCHEMAS, ("consumer_id", "message_id", "creation_time"), "inbox", forms=(TEXT, TEXT, MILLISECONDS)),
    Source(
        "dead_letter",
        SCHEMAS,
        (
            *("subscriber", "channel", "channel_partition", "position", "message_index", "message_id", "cause"),
            *("HEX(record_key)", "HEX(record_value)", "creation_time"),
        ),
        "dead_letters",
        _dead_letter,
        required=False,
    ),
    Source(
        "saga_instance",
        SCHEMAS,
        ("saga_type", "saga_id", "state_name", "last_request_id", "end_state", "compensating", "failed", "saga_data_json"),
        "saga_instances",
        _saga,
        required=False,
    ),
)


def read(account: MysqlAccount, folder: Path, tell: Callable[[int], None] = lambda rows: None) -> Tables:
    """Write all tables into files in `folder`. `account` must be allowed to read all. Raises OSError when the server is gone."""
    with sql.connected(account, TIMEOUT) as cursor, TableFiles(folder, TABLES) as files:
        connection = cursor.connection
        connection._rfile = connection._sock.makefile("rb", buffering=READ_BUFFER)  # nothing is outstanding
        cursor.execute("SELECT VERSION()")
        version = str(cursor.fetchone()[0])
        kind = "MariaDB" if "mariadb" in version.lower() else "MySQL"
        cursor.execute("SET NAMES utf8mb4")
        columns = _columns(cursor)
        with _snapshot(cursor, kind) as position:
            tables = Tables(position, kind, version)
            for source in SOURCES:
                for schema in source.schemas:
                    found = columns.get((schema, source.table))
                    if found is not None:
                        _read_table(connection, source, schema, found, files, tables, tell)
                    elif source.required:
                        tables.missing.append(f"{schema}.{source.table}")
    return tables


def _columns(cursor: Any) -> dict[tuple[str, str], set[str]]:
    cursor.execute("SELECT table_schema, table_name, column_name FROM information_schema.columns WHERE table_schema IN %s", [list(SCHEMAS)])
    columns: dict[tuple[str, str], set[str]] = {}
    for schema, table, column in cursor.fetchall():
        columns.setdefault((schema, table), set()).add(column)
    return columns


@contextmanager
def _snapshot(cursor: Any, kind: str) -> Iterator[Position]:
    """A consistent read of all tables and the binlog position that it is at.

    MariaDB tells the position of a snapshot. MySQL does not, and its other ways stop all writers (FLUSH TABLES WITH READ LOCK waits behind
    a statement that waits for a row lock, and everybody waits behind it). So there the position is read before and after the snapshot is
    taken, until both are equal; what a commit in between could still hide is found by comparing tables and changes.
    """
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    if kind == "MariaDB":
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        cursor.execute("SHOW STATUS LIKE 'binlog_snapshot_%'")
        status = {name.lower(): value for name, value in cursor.fetchall()}
        position = Position(status["binlog_snapshot_file"], int(status["binlog_snapshot_position"]))
    else:
        for _ in range(SNAPSHOT_TRIES):
            position = position_of(cursor)
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            if position_of(cursor) == position:
                break
            cursor.execute("ROLLBACK")
            time.sleep(0.005)
        else:
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    yield position
    cursor.execute("ROLLBACK")


def position_of(cursor: Any) -> Position:
    found = sql.binlog_position(cursor)
    return Position(str(found["file"]), int(str(found["position"])))


def _read_table(
    connection: Any, source: Source, schema: str, columns: set[str], files: TableFiles, tables: Tables, tell: Callable[[int], None]
) -> None:
    selected = [column if _name(column) in columns else "NULL" for column in source.columns]
    if source.forms:
        parts = [form.format(column) for form, column in zip(source.forms, selected, strict=True)]
        if source.into == "inbox":
            parts.insert(0, f"'{schema}'")
        selected = [f"CONCAT_WS(',', {', '.join(parts)})"]
    file, line, count = files[source.into], source.line, 0
    for row in _rows(connection, f"SELECT {', '.join(selected)} FROM `{schema}`.`{source.table}`", len(selected)):
        file.add(line(schema, row))
        count += 1
        if count % 10_000 == 0:
            tell(10_000)
    tell(count % 10_000)
    tables.counts[source.into] = tables.counts.get(source.into, 0) + count


def _name(column: str) -> str:
    return column[4:-1] if column.startswith("HEX(") else column


def _rows(connection: Any, query: str, count: int) -> Iterator[Row]:
    """Rows of a query as the protocol brings them, each value as text in bytes: five times as fast as a driver that makes objects.

    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html
    """
    connection._execute_command(COM_QUERY, query)
    read = connection._rfile.read
    first = _packet(read)
    if first[0] == 0xFF:
        raise OSError(f"MySQL refused {query!r}: {first[9:].decode(errors='replace')}")
    for _ in range(first[0] + 1):  # a description for each column, and an end
        _packet(read)
    while True:
        packet = _packet(read)
        if packet[0] == 0xFE and len(packet) < 9:
            return
        if packet[0] == 0xFF:
            raise OSError(f"MySQL broke off in {query!r}: {packet[9:].decode(errors='replace')}")
        row: Row = []
        at = 0
        for _ in range(count):
            size = packet[at]
            at += 1
            if size > 250:
                if size == 251:
                    row.append(None)
                    continue
                width = (2, 3, 8)[size - 252]
                size = int.from_bytes(packet[at : at + width], "little")
                at += width
            row.append(packet[at : at + size])
            at += size
        yield row


def _packet(read: Callable[[int], bytes]) -> bytes:
    head = read(4)
    if len(head) < 4:
        raise ConnectionError("MySQL closed the connection")
    length = head[0] | head[1] << 8 | head[2] << 16
    data = read(length)
    while length == 0xFFFFFF:
        length = int.from_bytes(read(4)[:3], "little")
        data += read(length)
    return data


def _text(value: bytes | None) -> str:
    return "" if value is None else quoted(value[:LONGEST].decode(errors="replace"))


def _number(value: bytes | None) -> str:
    return "" if value is None else value.decode()


def _ms(value: bytes | None) -> str:
    """Milliseconds as microseconds."""
    return "" if value is None else f"{value.decode()}000"
