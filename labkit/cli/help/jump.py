"""`labkit jump`: options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Json, Name, Yes
from labkit.terminal import say

app = typer.Typer()


@app.command()
def jump(number: Annotated[int, typer.Argument(metavar="N")], yes: Yes = False, as_json: Json = False, name: Name = "default") -> int:
    """Set stack and workspace to where lab N begins, and count the labs before it as skipped. Your files are saved."""
    from labkit.commands.progress import jump

    with say.document(as_json):
        return jump(name, number, yes=yes)
