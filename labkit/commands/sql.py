"""labkit sql: one question to all stores of the running stack, side by side."""

import csv
import io
import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import say
from labkit.errors import ExitCode, UserError
from labkit.evidence import database

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WIDEST = 60  # characters of one value in a table on the screen
SOURCES_OF_VIEWS = {
    "changes": {"binlog"},
    **{f"{what}_commits": {"binlog"} for what in ("order", "customer", "reservation", "inbox")},
    "own_records": {"records"},
    "first_records": {"records"},
    "credit": {"tables"},
}


def sql(stack_name: str, query: str | None, *, schema: bool, as_json: bool, as_csv: bool, evidence: Path | None) -> ExitCode:
    """Only the stores that the query names are read, as they are now."""
    if schema:
        _show_schema(query)
        return ExitCode.OK
    if not query:
        raise UserError("labkit sql needs a query.", 'labkit sql "select * from orders", or labkit sql --schema', exit_code=ExitCode.USAGE)
    if evidence is not None:
        connection = database.open_file(evidence)
        try:
            return _answer(connection, query, as_json=as_json, as_csv=as_csv)
        finally:
            connection.close()
    from labkit.evidence.collect import collect
    from labkit.stack import state

    stack = state.load(stack_name)
    with tempfile.TemporaryDirectory(prefix="labkit-sql-") as folder:
        connection = collect(stack, Path(folder, "now.duckdb"), sources=sources_of(query), wait=False, tell=say.progress)
        say.progress("")
        try:
            code = _answer(connection, query, as_json=as_json, as_csv=as_csv)
            for reason in _unread(connection):
                say.problem(f"Not all is there: {reason}.")
            return code
        finally:
            connection.close()


def sources_of(query: str) -> frozenset[str]:
    """The sources whose tables a query names; all when it asks for something that only all can tell."""
    words = set(re.findall(r"\w+", query.lower()))
    found: set[str] = set()
    for source, tables in database.SOURCES.items():
        if words & set(tables):
            found.add(source)
    for view, sources in SOURCES_OF_VIEWS.items():
        if view in words:
            found |= sources
    if "completeness" in words:
        found |= database.SOURCES.keys()
    return frozenset(found)


def _answer(connection: "DuckDBPyConnection", query: str, *, as_json: bool, as_csv: bool) -> ExitCode:
    import duckdb

    try:
        found = connection.execute(query)
        names = [column[0] for column in found.description or ()]
        rows = found.fetchall()
    except duckdb.Error as error:
        raise UserError(
            f"DuckDB does not take that query: {str(error).strip()}", "labkit sql --schema", exit_code=ExitCode.USAGE
        ) from error
    if as_json:
        say.line(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=1, default=_plain))
    elif as_csv:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([["" if value is None else _plain(value) for value in row] for row in rows])
        say.line(text.getvalue().removesuffix("\n"))
    else:
        _table(names, rows)
    return ExitCode.OK


def _plain(value: Any) -> Any:
    """As JSON and CSV have it: bytes as text, amounts and times as text."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, int | float | str | bool | list | dict) else str(value)


def _table(names: list[str], rows: list[tuple[Any, ...]]) -> None:
    cells = [["·" if value is None else _short(str(_plain(value))) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [names, *cells]) for i in range(len(names))]
    right = [all(_is_number(row[i]) for row in rows) for i in range(len(names))]
    for line in [names, *cells]:
        texts = [text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in zip(line, widths, right, strict=True)]
        say.line("  ".join(texts).rstrip())
        if line is names:
            say.line("  ".join("─" * width for width in widths))
    say.line(f"{len(rows):,} {'row' if len(rows) == 1 else 'rows'}")


def _is_number(value: Any) -> bool:
    from decimal import Decimal

    return value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool))


def _short(text: str) -> str:
    text = say.one_line(text.replace("\n", "⏎"))
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def _unread(connection: "DuckDBPyConnection") -> list[str]:
    rows = connection.execute("SELECT DISTINCT reason FROM completeness WHERE NOT complete AND source <> 'moment' ORDER BY 1").fetchall()
    return [reason for (reason,) in rows]


def _show_schema(wanted: str | None) -> None:
    """All tables, or those whose names are given."""
    names = set(re.findall(r"\w+", wanted or ""))
    tables = [table for table in database.tables() if not names or table.name in names]
    if not tables:
        raise UserError(f"There is no table {wanted!r}.", "labkit sql --schema", exit_code=ExitCode.USAGE)
    for table in tables:
        say.line(f"{table.name} ({table.kind}): {table.meaning}")
        name_width = max((len(column.name) for column in table.columns), default=0)
        type_width = max((len(column.type) for column in table.columns), default=0)
        for column in table.columns:
            say.line(f"  {column.name:{name_width}}  {column.type:{type_width}}  {column.meaning}")
        say.line()
