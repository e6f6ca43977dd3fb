"""`labkit events`: options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Name

app = typer.Typer()


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
