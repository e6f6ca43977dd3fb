"""`labkit topics`: options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Json, Name

app = typer.Typer()


@app.command()
def topics(
    by_key: Annotated[bool, typer.Option("--by-key", help="Show which key is in which partition.")] = False,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Show each topic's partitions and how far each consumer group has read."""
    from labkit.commands.topics import topics

    return topics(name, by_key=by_key, as_json=as_json)
