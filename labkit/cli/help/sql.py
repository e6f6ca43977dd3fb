"""`labkit sql`: options and help."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json, Name

app = typer.Typer()


@app.command()
def sql(
    query: Annotated[str | None, typer.Argument(metavar="QUERY", show_default=False)] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Show the tables and their columns.")] = False,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    evidence: Annotated[Path | None, typer.Option(metavar="FILE", help="Query this evidence file instead of the stack.")] = None,
    name: Name = "default",
) -> int:
    """Query tables, outboxes, the broker's records, the view and the binlog's changes, as they are now, in one statement (DuckDB's SQL)."""
    from labkit.commands.sql import sql

    return sql(name, query, schema=schema, as_json=as_json, as_csv=as_csv, evidence=evidence)
