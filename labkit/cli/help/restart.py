"""`labkit restart`: options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Json, Name
from labkit.terminal import say

app = typer.Typer()


@app.command()
def restart(components: Annotated[list[str], typer.Argument(metavar="COMPONENT...")], as_json: Json = False, name: Name = "default") -> int:
    """Stop components and start them again. Services start with their current files."""
    from labkit.commands.restart import restart

    with say.document(as_json):
        return restart(name, components)
