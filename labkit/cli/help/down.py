"""`labkit down`: options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Json, Name, Yes
from labkit.terminal import say

app = typer.Typer()


@app.command()
def down(
    data: Annotated[bool, typer.Option("--data", help="Remove its data too.")] = False,
    yes: Yes = False,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Stop every process of the stack. Its data is kept unless --data is given, which asks first."""
    from labkit.commands.down import down

    with say.document(as_json):
        return down(name, data=data, yes=yes)
