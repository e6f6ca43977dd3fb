"""`labkit setup`: options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Json, Yes
from labkit.terminal import say

app = typer.Typer()


@app.command()
def setup(
    yes: Yes = False,
    runtime: Annotated[str | None, typer.Option(metavar="docker|native", help="The runtime to set up.")] = None,
    as_json: Json = False,
) -> int:
    """Find or get the servers that a stack needs: MariaDB or MySQL, a broker, Java, Redis or Valkey. With Docker, none are needed."""
    from labkit.commands.setup import setup

    with say.document(as_json):
        return setup(yes=yes, runtime=runtime)
