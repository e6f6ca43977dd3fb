"""The evidence file: made, opened, described. Its tables are in schema.sql."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import ExitCode, UserError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FORMAT = 1  # raised when a table changes in a way that an older labkit cannot judge
HEADERS = 3 * 4096  # bytes before the first block of DuckDB's file
MEMORY = "256MB"
THREADS = 2
SOURCES = {  # what is read together, and the tables that come of it
    "tables": ("customers", "orders", "reservations", "outbox", "inbox", "dead_letters", "saga_instances"),
    "records": ("records",),
    "view": ("view_customers", "view_orders", "view_positions", "dead_letters"),
    "binlog": (
        *("transactions", "order_changes", "customer_changes", "reservation_changes", "outbox_changes", "inbox_changes"),
        "binlog_statements",
    ),
}
_SCHEMA = Path(__file__).with_name("schema.sql")


def new(path: Path | None = None) -> "DuckDBPyConnection":
    """An empty evidence database in a file that must not exist yet, or in memory: the caller closes it."""
    import duckdb

    connection = duckdb.connect(":memory:" if path is None else str(path), config=_config())
    connection.execute("SET TimeZone = 'UTC'")
    with together(connection):
        connection.execute(_SCHEMA.read_text(encoding="utf-8"))
        set_fact(connection, "format", str(FORMAT))
    return connection


@contextmanager
def together(connection: "DuckDBPyConnection") -> Iterator[None]:
    """Many small statements as one: each by itself would wait for the disk."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def finish(connection: "DuckDBPyConnection") -> None:
    """Say that all that was to be collected has been; only such a file is judged."""
    set_fact(connection, "finished", "true")


def open_file(path: Path) -> "DuckDBPyConnection":
    """A finished evidence file, read only. Raises UserError for a file that is none, half-written, or of a newer labkit."""
    import duckdb

    if not path.is_file():
        raise UserError(f"There is no file {path}.", "labkit verify --save FILE", exit_code=ExitCode.USAGE)
    try:
        connection = duckdb.connect(str(path), read_only=True, config=_config())
        connection.execute("SET TimeZone = 'UTC'")
        _refuse_part_of_a_file(connection, path)
        found = facts(connection)
    except duckdb.Error as error:
        message = f"{path} is no evidence file, or only part of one: {str(error).splitlines()[0]}"
        raise UserError(message, "labkit verify --save FILE", exit_code=ExitCode.UNKNOWN) from error
    if found.get("finished") != "true":
        connection.close()
        message = f"{path} was not finished: what wrote it was stopped before the end."
        raise UserError(message, "labkit verify --save FILE", exit_code=ExitCode.UNKNOWN)
    if int(found.get("format", 0)) > FORMAT:
        connection.close()
        raise UserError(f"{path} was written by a newer labkit ({found.get('labkit')}).", "update labkit", exit_code=ExitCode.UNKNOWN)
    return connection


def _refuse_part_of_a_file(connection: "DuckDBPyConnection", path: Path) -> None:
    """DuckDB opens a file that was cut off, and fails when it comes to what is missing. Raises duckdb.Error."""
    import duckdb

    found = connection.execute("SELECT block_size, total_blocks FROM pragma_database_size()").fetchone()
    assert found is not None
    whole, size = HEADERS + int(found[0]) * int(found[1]), path.stat().st_size
    if size < whole:
        raise duckdb.IOException(f"it has {size:,} of {whole:,} bytes")


def facts(connection: "DuckDBPyConnection") -> dict[str, str]:
    return dict(connection.execute("SELECT name, value FROM facts").fetchall())


def set_fact(connection: "DuckDBPyConnection", name: str, value: str | None) -> None:
    connection.execute("DELETE FROM facts WHERE name = ?", [name])
    connection.execute("INSERT INTO facts VALUES (?, ?)", [name, value])


def set_complete(connection: "DuckDBPyConnection", source: str, reason: str | None = None, component: str | None = None) -> None:
    """A source was read whole, or why it was not; the first reason stays."""
    known = connection.execute("SELECT complete FROM completeness WHERE source = ?", [source]).fetchone()
    if known is not None and (not known[0] or reason is None):
        return
    connection.execute("DELETE FROM completeness WHERE source = ?", [source])
    connection.execute("INSERT INTO completeness VALUES (?, ?, ?, ?)", [source, reason is None, reason, component])


def insert(connection: "DuckDBPyConnection", table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """A few rows by column name; what a row does not name is NULL. (Many rows come from files, see load.py.)"""
    for row in rows:
        columns = ", ".join(f'"{name}"' for name in row)
        places = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", list(row.values()))


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    meaning: str


@dataclass(frozen=True)
class Table:
    name: str
    kind: str  # table or view
    meaning: str
    columns: tuple[Column, ...]


_HEAD = re.compile(r"CREATE (TABLE|VIEW) (\w+)")
_COLUMN = re.compile(r"\s+(\w+) ([A-Z]+(?:\([\d,]+\))?),?\s+-- (.*)")


def tables() -> Iterator[Table]:
    """All tables and views with their meaning, as schema.sql tells them."""
    comment: list[str] = []
    lines = iter(_SCHEMA.read_text(encoding="utf-8").splitlines())
    for line in lines:
        head = _HEAD.match(line)
        if line.startswith("-- "):
            comment.append(line[3:])
        elif head is None:
            comment = []
        else:
            columns = []
            if head[1] == "TABLE":
                for inner in lines:
                    if inner.startswith(")"):
                        break
                    if column := _COLUMN.match(inner):
                        columns.append(Column(column[1], column[2], column[3]))
            yield Table(head[2], head[1].lower(), " ".join(comment), tuple(columns))
            comment = []


def _config() -> dict[str, str | bool | int | float | list[str]]:
    """Nothing is fetched from elsewhere, and little memory taken."""
    return {"memory_limit": MEMORY, "threads": THREADS, "autoinstall_known_extensions": False, "preserve_insertion_order": False}
