"""`labkit init`: options and help."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json, Name
from labkit.terminal import say

app = typer.Typer()


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", show_default=False)] = Path("workshop"),
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Make a workspace in DIR (default: workshop): an editable copy of the services, notes, and your progress. With --name, every command
    inside it uses that stack."""
    from labkit.commands.init import init

    with say.document(as_json):
        return init(folder, name)
