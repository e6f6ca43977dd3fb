"""labkit sql: one query across all stores of the running stack."""

import csv
import io
import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import ExitCode, UserError
from labkit.evidence import database, table_schema
from labkit.stack import state
from labkit.system import find as profiles
from labkit.system.model import Profile
from labkit.terminal import say
from labkit.terminal.table import plain, show

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SOURCES_OF_VIEWS = {
    "changes": {"binlog"},
    "inbox_commits": {"binlog"},
    "own_records": {"records"},
    "first_records": {"records"},
    "credit": {"tables"},
}


def sql(stack_name: str, query: str | None, *, schema: bool, as_json: bool, as_csv: bool, evidence: Path | None) -> ExitCode:
    """Run a query on the current data. Only the stores that the query names are read."""
    if schema:
        with say.paged():
            _show_schema(query, _profile(stack_name))
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

    stack = state.load(stack_name)
    with tempfile.TemporaryDirectory(prefix="labkit-sql-") as folder:
        connection = collect(stack, Path(folder, "now.duckdb"), sources=sources_of(query, stack.profile), wait=False, tell=say.progress)
        say.progress("")
        try:
            code = _answer(connection, query, as_json=as_json, as_csv=as_csv)
            for reason in _unread(connection):
                say.problem(f"The data is incomplete: {reason}.")
            return code
        finally:
            connection.close()


def sources_of(query: str, profile: Profile) -> frozenset[str]:
    """Return the sources whose tables the query names, or all sources if it needs a table that depends on all of them."""
    words = set(re.findall(r"\w+", query.lower()))
    found: set[str] = set()
    for source, tables in database.SOURCES.items():
        if words & set(tables):
            found.add(source)
    for table in profile.tables:
        found |= {"tables"} if table.name in words else set()
        found |= {"binlog"} if words & {table_schema.changes_of(table), table_schema.commits_of(table)} else set()
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
        raise UserError(f"DuckDB rejects that query: {str(error).strip()}", "labkit sql --schema", exit_code=ExitCode.USAGE) from error
    if as_json:
        say.raw(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=1, default=plain))
    elif as_csv:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([["" if value is None else plain(value) for value in row] for row in rows])
        say.raw(text.getvalue().removesuffix("\n"))
    else:
        show(names, rows)
    return ExitCode.OK


def _unread(connection: "DuckDBPyConnection") -> list[str]:
    rows = connection.execute("SELECT DISTINCT reason FROM completeness WHERE NOT complete AND source <> 'moment' ORDER BY 1").fetchall()
    return [reason for (reason,) in rows]


def _profile(stack_name: str) -> Profile:
    """Return the stack's profile, or the default profile if there is no stack."""
    stack = state.find_undamaged(stack_name)
    return stack.profile if stack else profiles.default()


def _show_schema(wanted: str | None, profile: Profile) -> None:
    """Print the schema of the named tables, or of all tables."""
    names = set(re.findall(r"\w+", wanted or ""))
    tables = [table for table in database.tables(profile) if not names or table.name in names]
    if not tables:
        raise UserError(f"There is no table {wanted!r}.", "labkit sql --schema", exit_code=ExitCode.USAGE)
    for table in tables:
        say.line(f"{table.name} ({table.kind}): {table.meaning}")
        name_width = max((len(column.name) for column in table.columns), default=0)
        type_width = max((len(column.type) for column in table.columns), default=0)
        for column in table.columns:
            say.line(f"  {column.name:{name_width}}  {column.type:{type_width}}  {column.meaning}")
        say.line()
