"""Read the services' schemas at one moment with a known binlog position, and write them as files for the evidence."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.account import Account
from labkit.evidence import mysql_sources
from labkit.evidence.binlog.packets import packet
from labkit.evidence.binlog.replication import Position
from labkit.evidence.mysql_sources import Row, Source
from labkit.evidence.table_files import TableFiles
from labkit.stack import sql
from labkit.system.model import Profile

TIMEOUT_S = 60.0  # that the server may stay silent
READ_BUFFER = 1 << 20
SNAPSHOT_TRIES = 20
REMEDY = "labkit reset creates it again"
COM_QUERY = 3


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
class ServerTable:
    """A table of the server. Its columns are keyed by lower-case name, because MySQL treats `Amount` and `amount` as the same column."""

    engine: str
    columns: dict[str, tuple[str, str]]  # name as written, type


def read(account: Account, profile: Profile, folder: Path, progress: Callable[[int], None] = lambda rows: None) -> Tables:
    """Write all tables into files in `folder`. `account` needs read access to all schemas. Raises OSError if the server is gone."""
    sources = mysql_sources.of_profile(profile)
    with sql.connected(account, TIMEOUT_S) as cursor, TableFiles(folder, [source.into for source in sources]) as files:
        connection = cursor.connection
        connection._rfile = connection._sock.makefile("rb", buffering=READ_BUFFER)  # safe: no answer is outstanding
        cursor.execute("SELECT VERSION()")
        version = str(cursor.fetchone()[0])
        kind = "MariaDB" if "mariadb" in version.lower() else "MySQL"
        cursor.execute("SET NAMES utf8mb4")
        found = _server_tables(cursor, profile.schemas)
        with _snapshot(cursor, kind) as position:
            tables = Tables(position, kind, version)
            for source in sources:
                for schema in source.schemas:
                    table = found.get((schema, source.table))
                    if table is not None:
                        _read_table(connection, source, schema, table, files, tables, progress)
                    elif source.required:
                        tables.missing.append(_no_table(found, schema, source.table))
    return tables


def _no_table(found: Mapping[tuple[str, str], ServerTable], schema: str, name: str) -> str:
    like = [table for place, table in found if place == schema and table.lower() == name]
    capitals = f" (there is {schema}.{like[0]}: a table's capitals count)" if like else ""
    return f"there is no table {schema}.{name}{capitals}; {REMEDY}"


def _server_tables(cursor: Any, schemas: Sequence[str]) -> dict[tuple[str, str], ServerTable]:
    # Two queries: MariaDB 10.11 has been seen to crash with SIGSEGV on a join of these two tables.
    cursor.execute("SELECT table_schema, table_name, engine FROM information_schema.tables WHERE table_schema IN %s", [list(schemas)])
    tables = {(schema, table): ServerTable(str(engine or "a view"), {}) for schema, table, engine in cursor.fetchall()}
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
    connection: Any, source: Source, schema: str, found: ServerTable, files: TableFiles, tables: Tables, progress: Callable[[int], None]
) -> None:
    if source.required and found.engine != "InnoDB":
        tables.unfit.append(f"{schema}.{source.table} is kept by {found.engine}, not by InnoDB, and so is in no transaction")
    columns = {**dict.fromkeys(source.columns, ("", "")), **{name: found.columns[name] for name in source.columns if name in found.columns}}
    missing = [name for name, (written, _) in columns.items() if not written and name not in source.optional]
    tables.missing += [f"{schema}.{source.table} has no column {name}; {REMEDY}" for name in missing]
    selected = source.selected(schema, columns)
    file, line, count = files[source.into], source.line, 0
    for row in _rows(connection, f"SELECT {', '.join(selected)} FROM `{schema}`.`{source.table}`", len(selected)):
        file.add(line(schema, row))
        count += 1
        if count % 10_000 == 0:
            progress(10_000)
    progress(count % 10_000)


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
