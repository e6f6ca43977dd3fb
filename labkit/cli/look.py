"""Look: what runs, what the stores hold, what became of an order. Names, options and help; each command is imported when it is called."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json, Name

app = typer.Typer()


@app.command()
def order(
    total: Annotated[str, typer.Argument(metavar="TOTAL")],
    customer: Annotated[int | None, typer.Option(metavar="N", help="The customer who orders; without it, a new one.")] = None,
    limit: Annotated[str | None, typer.Option(metavar="AMOUNT", help="The new customer's credit limit; default: 15.00.")] = None,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Place one order for TOTAL through the gateway, and wait up to 5 s for the end of its saga."""
    from labkit.commands.order import order

    return order(name, total, customer=customer, limit=limit, as_json=as_json)


@app.command()
def trace(
    subject: Annotated[str, typer.Argument(metavar="order|customer|message")],
    subject_id: Annotated[str, typer.Argument(metavar="ID")],
    diagram: Annotated[bool, typer.Option("--diagram", help="Draw a sequence diagram in the terminal.")] = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid sequence diagram.")] = False,
    as_json: Json = False,
    evidence: Annotated[Path | None, typer.Option(metavar="FILE", help="Read this evidence file instead of the stack.")] = None,
    name: Name = "default",
) -> int:
    """Show each hop of an order (or customer, or message) through the stores, and the first one that is missing with its likely cause."""
    from labkit.commands.trace import trace

    form = "json" if as_json else "mermaid" if mermaid else "diagram" if diagram else "text"
    return trace(name, subject, subject_id, form=form, evidence=evidence)


@app.command()
def events(
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Keep following until Ctrl-C.")] = False,
    unhandled: Annotated[bool, typer.Option("--unhandled", help="Only events that a subscriber has yet to take.")] = False,
    lines: Annotated[int | None, typer.Option("-n", "--lines", min=0, help="Only the last N events.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one event per line.")] = False,
    name: Name = "default",
) -> int:
    """Show the events of all topics, ordered by time stamp."""
    from labkit.commands.events import events

    return events(name, follow=follow, unhandled=unhandled, lines=lines, as_json=as_json)


@app.command()
def topics(
    by_key: Annotated[bool, typer.Option("--by-key", help="Show which key is in which partition.")] = False,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Show each topic's partitions and how far each consumer group has read."""
    from labkit.commands.topics import topics

    return topics(name, by_key=by_key, as_json=as_json)


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


@app.command()
def logs(
    component: Annotated[str | None, typer.Argument(metavar="[COMPONENT]", show_default=False)] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Keep following until Ctrl-C.")] = False,
    lines: Annotated[int | None, typer.Option("-n", "--lines", min=0, help="Only the last N lines.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one document per line.")] = False,
    name: Name = "default",
) -> int:
    """Show the log of one component, or the last lines of each. Services' lines show when, which message, which handler and how long."""
    from labkit.commands.logs import logs

    return logs(name, component, follow=follow, lines=lines, as_json=as_json)


@app.command()
def shell(
    component: Annotated[str, typer.Argument(metavar="COMPONENT")],
    sh: Annotated[bool, typer.Option("--sh", help="Open a shell instead of a server's prompt.")] = False,
    name: Name = "default",
) -> int:
    """Open the prompt of a server, such as mysql, logged in at this stack's port. For a service, or with --sh, open a shell where it
    runs: in its container, or in its folder with its environment."""
    from labkit.commands.events import events
    from labkit.commands.shell import shell
    from labkit.commands.topics import topics
    from labkit.stack.store_prompt import Looks

    looks = Looks(
        channels=lambda stack, by_key: topics(stack, by_key=by_key, as_json=False),
        events=lambda stack, count: events(stack, follow=False, unhandled=False, lines=count, as_json=False),
    )
    return shell(name, component, looks, sh=sh)
