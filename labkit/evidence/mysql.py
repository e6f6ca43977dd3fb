"""Read the services' schemas at one moment with a known binlog position, and write them as files for the evidence."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit import brokers
from labkit.account import Account
from labkit.brokers.model import Positions
from labkit.evidence import messages
from labkit.evidence.binlog.packets import packet
from labkit.evidence.binlog.replication import Position
from labkit.evidence.table_files import LONGEST, TableFiles, milliseconds, number, optional, plain, quoted
from labkit.stack import sql
from labkit.system import messaging
from labkit.system.model import Form, ObservedTable, Profile

TIMEOUT = 60.0  # seconds that the server may stay silent
READ_BUFFER = 1 << 20
SNAPSHOT_TRIES = 20
ANEW = "labkit reset creates it again"
COM_QUERY = 3
Row = list[bytes | None]


@dataclass
class Tables:
    """The result of reading the tables.

    `missing` lists what the evidence lacks, `unfit` why the row changes cannot account for these tables. Both hold sentences without a full
    stop.
    """

    position: Position
    kind: str
    version: str
    missing: list[str] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """A table of the server. Its columns are keyed by lower-case name, because MySQL treats `Amount` and `amount` as the same column."""

    engine: str
    columns: dict[str, tuple[str, str]]  # name as written, type


NUMBER, MONEY, TEXT, CODED, MILLISECONDS, FLAG, BYTES = Form
NUMBERS = (NUMBER, MONEY)
NUMERIC = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "bit", "year"})
_QUOTE = "CHAR(2 USING utf8mb4)"
_QUOTED = f"IFNULL(CONCAT({_QUOTE}, REPLACE({{0}}, {_QUOTE}, CONCAT({_QUOTE}, {_QUOTE})), {_QUOTE}), '')"


def _selected(kind: Form, name: str, type: str) -> str:
    """Return the SQL expression that selects a column's value, whichever type the column has."""
    column = "`" + name.replace("`", "``") + "`"
    if kind is BYTES:
        return f"HEX({column})"
    if type == "bit":
        return f"({column} + 0)"
    return f"CAST({column} AS DECIMAL(65,2))" if kind in NUMBERS and type in ("float", "double") else column


def _field(kind: Form, selected: str, type: str, codes: Sequence[str] = ()) -> str:
    """Return the SQL expression that formats a selected value as a field of a line."""
    text = f"CONVERT({selected} USING utf8mb4)"  # texts in two character sets cannot always be concatenated
    if codes:
        known = " ".join(f"WHEN '{code}' THEN '{told}'" for code, told in enumerate(codes))
        return f"CASE {text} {known} ELSE {_QUOTED.format(text)} END"
    if kind is MILLISECONDS:
        return f"IFNULL(CONCAT({selected}, '000'), '')" if type in NUMERIC else "''"
    return f"IFNULL({selected}, '')" if kind in NUMBERS and type in NUMERIC else _QUOTED.format(text)


def _as_sent(_: str, row: Row) -> str:
    """Return a line that the server has formatted. This saves most of the work here for large tables with few texts."""
    return (row[0] or b"").decode(errors="replace")


@dataclass(frozen=True)
class Source:
    """A table of a service, and how its rows are stored.

    An `optional` column that does not exist is NULL; no verdict depends on it. With `sent`, the server formats the lines.
    """

    table: str
    schemas: tuple[str, ...]
    columns: dict[str, Form]
    into: str
    line: Callable[[str, Row], str] = _as_sent
    optional: frozenset[str] = frozenset()
    required: bool = True
    codes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def sent(self) -> bool:
        return self.line is _as_sent


def _message(wire: messages.Wire) -> Callable[[str, Row], str]:
    def line(schema: str, row: Row) -> str:
        message_id, destination, headers, payload, published, created = row
        about = wire.about(headers or b"", payload or b"")
        topic = (destination or b"").decode(errors="replace")
        usual = about.destination == topic and about.message_id == (message_id or b"").decode(errors="replace")
        mark = "true" if published not in (None, b"0") else "false"
        return (
            f"{schema},{_text(message_id)},{quoted(topic)},{quoted(wire.channel(topic))},{_about(about)},"
            f"{'' if usual else _text(headers)},{_text(payload)},{mark},{milliseconds(created)}"
        )

    return line


def _about(about: messages.About) -> str:
    a = about
    ids = f"{number(a.aggregate_id)},{number(a.order_id)},{number(a.customer_id)}"
    return f"{optional(a.key)},{optional(a.type)},{optional(a.event)},{ids},{a.total or ''},{optional(a.saga_id)},{optional(a.reply_to)}"


def _dead_letter(positions: Positions) -> Callable[[str, Row], str]:
    def line(schema: str, row: Row) -> str:
        subscriber, channel, partition, written, index, message_id, cause, key, value, created = row
        position = positions.read(written or b"")
        at = _number(written) if position is None else str(position)
        place = f"{_text(subscriber)},{_text(channel)},{_number(partition)},{at},{_number(index)}"
        return f"mysql,{schema},{place},{_text(message_id)},{_text(cause)},{_hex(key)},{_hex(value)},{milliseconds(created)}"

    return line


def _saga(schema: str, row: Row) -> str:
    saga_type, saga_id, state, request, end, compensating, failed, data = row
    flags = ",".join("" if flag is None else "true" if flag in (b"1", b"\1") else "false" for flag in (end, compensating, failed))
    order_id = messages.order_of(data or b"")
    return f"{schema},{_text(saga_type)},{_text(saga_id)},{_text(state)},{_text(request)},{flags},{number(order_id)},{_text(data)}"


def _sources(profile: Profile) -> list[Source]:
    return [*map(_observed, profile.tables), *_of_messaging(profile.schemas, messages.Wire(profile), brokers.positions(profile))]


def _observed(table: ObservedTable) -> Source:
    return Source(
        table.table,
        (table.schema,),
        {column.source: column.form for column in table.columns},
        table.name,
        optional=frozenset(column.source for column in table.columns if column.optional),
        codes={column.source: column.codes for column in table.columns if column.codes},
    )


def _of_messaging(schemas: tuple[str, ...], wire: messages.Wire, positions: Positions) -> tuple[Source, ...]:
    return (
        Source(
            messaging.OUTBOX,
            schemas,
            {"id": TEXT, "destination": TEXT, "headers": TEXT, "payload": TEXT, "published": NUMBER, "creation_time": MILLISECONDS},
            "outbox",
            _message(wire),
            optional=frozenset({"published", "creation_time"}),
        ),
        Source(
            messaging.INBOX,
            schemas,
            {"consumer_id": TEXT, "message_id": TEXT, "creation_time": MILLISECONDS},
            "inbox",
            optional=frozenset({"creation_time"}),
        ),
        Source(
            messaging.DEAD_LETTERS,
            schemas,
            {
                **{"subscriber": TEXT, "channel": TEXT, "channel_partition": NUMBER, "position": TEXT, "message_index": NUMBER},
                **{"message_id": TEXT, "cause": TEXT, "record_key": BYTES, "record_value": BYTES, "creation_time": MILLISECONDS},
            },
            "dead_letters",
            _dead_letter(positions),
            optional=frozenset({"creation_time"}),
            required=False,
        ),
        Source(
            messaging.SAGAS,
            schemas,
            {
                **{"saga_type": TEXT, "saga_id": TEXT, "state_name": TEXT, "last_request_id": TEXT},
                **{"end_state": NUMBER, "compensating": NUMBER, "failed": NUMBER, "saga_data_json": TEXT},
            },
            "saga_instances",
            _saga,
            required=False,
        ),
    )


def read(account: Account, profile: Profile, folder: Path, tell: Callable[[int], None] = lambda rows: None) -> Tables:
    """Write all tables into files in `folder`. `account` needs read access to all schemas. Raises OSError if the server is gone."""
    sources = _sources(profile)
    with sql.connected(account, TIMEOUT) as cursor, TableFiles(folder, [source.into for source in sources]) as files:
        connection = cursor.connection
        connection._rfile = connection._sock.makefile("rb", buffering=READ_BUFFER)  # safe: no answer is outstanding
        cursor.execute("SELECT VERSION()")
        version = str(cursor.fetchone()[0])
        kind = "MariaDB" if "mariadb" in version.lower() else "MySQL"
        cursor.execute("SET NAMES utf8mb4")
        found = _found(cursor, profile.schemas)
        with _snapshot(cursor, kind) as position:
            tables = Tables(position, kind, version)
            for source in sources:
                for schema in source.schemas:
                    table = found.get((schema, source.table))
                    if table is not None:
                        _read_table(connection, source, schema, table, files, tables, tell)
                    elif source.required:
                        tables.missing.append(_no_table(found, schema, source.table))
    return tables


def _no_table(found: Mapping[tuple[str, str], Found], schema: str, name: str) -> str:
    like = [table for place, table in found if place == schema and table.lower() == name]
    capitals = f" (there is {schema}.{like[0]}: a table's capitals count)" if like else ""
    return f"there is no table {schema}.{name}{capitals}; {ANEW}"


def _found(cursor: Any, schemas: Sequence[str]) -> dict[tuple[str, str], Found]:
    # Two queries: MariaDB 10.11 has been seen to crash with SIGSEGV on a join of these two tables.
    cursor.execute("SELECT table_schema, table_name, engine FROM information_schema.tables WHERE table_schema IN %s", [list(schemas)])
    tables = {(schema, table): Found(str(engine or "a view"), {}) for schema, table, engine in cursor.fetchall()}
    cursor.execute(
        "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns WHERE table_schema IN %s", [list(schemas)]
    )
    for schema, table, column, type in cursor.fetchall():
        if found := tables.get((schema, table)):  # a table created between the two queries is not in `tables`
            found.columns[column.lower()] = column, type.lower()
    return tables


@contextmanager
def _snapshot(cursor: Any, kind: str) -> Iterator[Position]:
    """Open a consistent snapshot of all tables and yield its binlog position.

    MariaDB reports the position of a snapshot. MySQL does not, and its alternatives block all writers: FLUSH TABLES WITH READ LOCK waits
    behind a statement that waits for a row lock, and all other statements wait behind it. For MySQL, the position is therefore read before
    and after the snapshot until both are equal. A commit that still slips in between is found later, when tables and changes are compared.
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
    connection: Any, source: Source, schema: str, found: Found, files: TableFiles, tables: Tables, tell: Callable[[int], None]
) -> None:
    if source.required and found.engine != "InnoDB":
        tables.unfit.append(f"{schema}.{source.table} is kept by {found.engine}, not by InnoDB, and so is in no transaction")
    columns = {**dict.fromkeys(source.columns, ("", "")), **{name: found.columns[name] for name in source.columns if name in found.columns}}
    missing = [name for name, (written, _) in columns.items() if not written and name not in source.optional]
    tables.missing += [f"{schema}.{source.table} has no column {name}; {ANEW}" for name in missing]
    selected = []
    for name, (written, type) in columns.items():
        value = _selected(source.columns[name], written, type) if written else "NULL"
        selected.append(_field(source.columns[name], value, type, source.codes.get(name, ())) if source.sent else value)
    if source.sent:
        first = [f"'{schema}'"] if source.into == "inbox" else []
        selected = [f"CONCAT_WS(',', {', '.join([*first, *selected])})"]
    file, line, count = files[source.into], source.line, 0
    for row in _rows(connection, f"SELECT {', '.join(selected)} FROM `{schema}`.`{source.table}`", len(selected)):
        file.add(line(schema, row))
        count += 1
        if count % 10_000 == 0:
            tell(10_000)
    tell(count % 10_000)


def _rows(connection: Any, query: str, count: int) -> Iterator[Row]:
    """Yield the rows of a query in the protocol's own form, with each value as text in bytes. Five times as fast as a driver with objects.

    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html
    """
    connection._execute_command(COM_QUERY, query)
    read = connection._rfile.read
    first = packet(read)
    if first[0] == 0xFF:
        raise OSError(f"MySQL refused {query!r}: {first[9:].decode(errors='replace')}")
    for _ in range(first[0] + 1):  # skip one description for each column, and the end packet
        packet(read)
    while True:
        data = packet(read)
        if data[0] == 0xFE and len(data) < 9:
            return
        if data[0] == 0xFF:
            raise OSError(f"MySQL broke off in {query!r}: {data[9:].decode(errors='replace')}")
        row: Row = []
        at = 0
        for _ in range(count):
            size = data[at]
            at += 1
            if size > 250:
                if size == 251:
                    row.append(None)
                    continue
                width = (2, 3, 8)[size - 252]
                size = int.from_bytes(data[at : at + width], "little")
                at += width
            row.append(data[at : at + size])
            at += size
        yield row


def _text(value: bytes | None) -> str:
    return "" if value is None else quoted(value.decode(errors="replace"))


def _number(value: bytes | None) -> str:
    return "" if value is None else plain(value.decode(errors="replace"))


def _hex(value: bytes | None) -> str:
    return "" if value is None else value[: 2 * LONGEST].decode()
