"""Create, open and describe an evidence file. Its tables are those of schema.sql and of the profile's observed tables."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import brokers
from labkit.errors import ExitCode, UserError
from labkit.evidence import flows, table_schema
from labkit.stack import state
from labkit.system import find
from labkit.system.model import Profile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FORMAT = 2  # increase it when an older labkit could no longer judge the tables
HEADERS = 3 * 4096  # bytes before the first block of a DuckDB file
MEMORY = "256MB"
THREADS = 2
SOURCES = {  # the tables that each source fills, besides the observed ones
    "tables": ("outbox", "inbox", "dead_letters", "saga_instances"),
    "records": ("records",),
    "view": ("view_customers", "view_orders", "view_positions", "view_expiry", "dead_letters"),
    "binlog": ("transactions", "outbox_changes", "inbox_changes", "binlog_statements"),
}
_SCHEMA = Path(__file__).with_name("schema.sql")


def schema(profile: Profile) -> str:
    """Return the DDL for a profile's evidence, with a comment for each table and column."""
    return f"{_SCHEMA.read_text(encoding='utf-8')}\n{table_schema.ddl(profile.tables)}\n{profile.views}"


def new(path: Path | None = None, profile: Profile | None = None) -> "DuckDBPyConnection":
    """Create an empty evidence database, in memory or in a file that must not exist yet. The caller closes it.

    Without `profile`, the default profile is used.
    """
    import duckdb

    connection = duckdb.connect(":memory:" if path is None else str(path), config=_config())
    connection.execute("SET TimeZone = 'UTC'")
    with in_one_transaction(connection):
        connection.execute(schema(profile or find.default()))
        positions = brokers.positions(profile or find.default())
        connection.execute(f"CREATE MACRO position_text(position) AS {positions.sql}")
        connection.execute(f"CREATE MACRO position_words(position) AS '{positions.noun} ' || position_text(position)")
        set_fact(connection, "format", str(FORMAT))
        set_fact(connection, "profile", (profile or find.default()).name)
        flows.write(connection, profile or find.default())
    return connection


@contextmanager
def in_one_transaction(connection: "DuckDBPyConnection") -> Iterator[None]:
    """Run many small statements in one transaction: separately, each would wait for the disk."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def finish(connection: "DuckDBPyConnection") -> None:
    """Mark the evidence as finished. An unfinished file is not judged."""
    set_fact(connection, "finished", "true")


def open_file(path: Path) -> "DuckDBPyConnection":
    """Open a finished evidence file, read-only.

    Raises UserError for a file that is not evidence, is half-written, or comes from a newer labkit.
    """
    import duckdb

    if not path.is_file():
        raise UserError(f"There is no file {path}.", "labkit verify --save FILE", exit_code=ExitCode.USAGE)
    try:
        # A view in another person's file could read any file on this machine.
        connection = duckdb.connect(str(path), read_only=True, config={**_config(), "enable_external_access": False})
    except (duckdb.Error, OSError) as error:
        raise _none_or_part(path, error) from error
    try:
        connection.execute("SET TimeZone = 'UTC'")
        _refuse_part_of_a_file(connection, path)
        _refuse_another_format(facts(connection), path)
        _refuse_other_tables(connection, path)
    except BaseException as error:
        connection.close()
        if isinstance(error, duckdb.Error | OverflowError):
            raise _none_or_part(path, error) from error
        raise
    return connection


def _none_or_part(path: Path, error: Exception) -> UserError:
    first = next(iter(str(error).splitlines()), type(error).__name__)
    message = f"{path} is not an evidence file, or only part of one: {first}"
    return UserError(message, "labkit verify --save FILE", exit_code=ExitCode.UNKNOWN)


def _refuse_another_format(found: Mapping[str, Any], path: Path) -> None:
    if found.get("finished") != "true":
        message = f"{path} was not finished: what wrote it was stopped before the end."
        raise UserError(message, "labkit verify --save FILE", exit_code=ExitCode.UNKNOWN)
    text = str(found.get("format", 0))
    if not re.fullmatch("[0-9]{1,6}", text):
        raise UserError(f"{path} is of no format that labkit knows.", "labkit verify --save FILE", exit_code=ExitCode.UNKNOWN)
    if int(text) > FORMAT:
        raise UserError(f"{path} was written by a newer labkit ({found.get('labkit')}).", "update labkit", exit_code=ExitCode.UNKNOWN)


def _refuse_other_tables(connection: "DuckDBPyConnection", path: Path) -> None:
    """Raise UserError unless every table that the invariants read is a table and has the expected columns and types."""
    columns = (
        "SELECT table_name, column_name, data_type FROM duckdb_columns()"
        " JOIN duckdb_tables() USING (database_name, schema_name, table_name)"
        " WHERE schema_name = 'main' ORDER BY table_name, column_index"
    )
    model = new(profile=profile_of(connection))
    try:
        expected = model.execute(columns).fetchall()
    finally:
        model.close()
    found = {(table, column): kind for table, column, kind in connection.execute(columns).fetchall()}
    for table, column, kind in expected:
        has = found.get((table, column))
        if has != kind:
            what = "has no" if has is None else f"has {has} in the"
            message = f"{path} {what} column {table}.{column}: it was written by an older labkit, or by none."
            raise UserError(message, "labkit verify --save FILE", exit_code=ExitCode.UNKNOWN)


def _refuse_part_of_a_file(connection: "DuckDBPyConnection", path: Path) -> None:
    """Raise duckdb.Error for a truncated file, which DuckDB opens and fails on only when it reads the missing part."""
    import duckdb

    found = connection.execute("SELECT block_size, total_blocks FROM pragma_database_size()").fetchone()
    assert found is not None
    expected, size = HEADERS + int(found[0]) * int(found[1]), path.stat().st_size
    if size < expected:
        raise duckdb.IOException(f"it has {size:,} of {expected:,} bytes")


def profile_of(connection: "DuckDBPyConnection") -> Profile:
    """Return the profile of the evidence. Raises UserError if this labkit does not know it."""
    return state.profile_of(facts(connection).get("profile"))


def facts(connection: "DuckDBPyConnection") -> dict[str, str]:
    return dict(connection.execute("SELECT name, value FROM facts").fetchall())


def set_fact(connection: "DuckDBPyConnection", name: str, value: str | None) -> None:
    connection.execute("DELETE FROM facts WHERE name = ?", [name])
    connection.execute("INSERT INTO facts VALUES (?, ?)", [name, value])


def fact(connection: "DuckDBPyConnection", name: str) -> str:
    """Return a fact's value, or an empty text."""
    (value,) = connection.execute("SELECT max(value) FROM facts WHERE name = ?", [name]).fetchone() or (None,)
    return str(value or "")


def set_complete(connection: "DuckDBPyConnection", source: str, reason: str | None = None, component: str | None = None) -> None:
    """Record that a source was read completely, or why not. The first reason is final."""
    known = connection.execute("SELECT complete FROM completeness WHERE source = ?", [source]).fetchone()
    if known is not None and (not known[0] or reason is None):
        return
    connection.execute("DELETE FROM completeness WHERE source = ?", [source])
    connection.execute("INSERT INTO completeness VALUES (?, ?, ?, ?)", [source, reason is None, reason, component])


def insert(connection: "DuckDBPyConnection", table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert a few rows, given by column name. A column that a row does not name is NULL.

    Large tables are loaded from files, see table_files.py.
    """
    for row in rows:
        columns = ", ".join(f'"{name}"' for name in row)
        placeholders = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({placeholders})", list(row.values()))


@dataclass(frozen=True)
class EvidenceColumn:
    name: str
    type: str
    meaning: str


@dataclass(frozen=True)
class Table:
    name: str
    kind: str  # table or view
    meaning: str
    columns: tuple[EvidenceColumn, ...]


_HEAD = re.compile(r"CREATE (TABLE|VIEW) (\w+)")
_COLUMN = re.compile(r"\s+(\w+) ([A-Z]+(?:\([\d,]+\))?),?\s+-- (.*)")


def tables(profile: Profile) -> Iterator[Table]:
    """Yield all tables and views of a profile's evidence, with their meaning."""
    comment: list[str] = []
    lines = iter(schema(profile).splitlines())
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
                        columns.append(EvidenceColumn(column[1], column[2], column[3]))
            yield Table(head[2], head[1].lower(), " ".join(comment), tuple(columns))
            comment = []


def _config() -> dict[str, str | bool | int | float | list[str]]:
    """DuckDB settings: no downloads, and little memory."""
    return {"memory_limit": MEMORY, "threads": THREADS, "autoinstall_known_extensions": False, "preserve_insertion_order": False}
