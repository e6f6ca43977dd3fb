"""`labkit support`: options and help."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json, Name
from labkit.terminal import say

app = typer.Typer()


@app.command()
def support(file: Annotated[Path, typer.Argument(metavar="FILE")], as_json: Json = False, name: Name = "default") -> int:
    """Write one compressed file with the doctor's findings, versions, status, logs, events and the last evidence, without secrets."""
    from labkit.commands.support import support

    with say.document(as_json):
        return support(name, file)
