"""`labkit guide`: options and help."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json
from labkit.terminal import say

app = typer.Typer()


@app.command()
def guide(
    number: Annotated[int | None, typer.Argument(metavar="[N]", show_default=False)] = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write the page to FILE and do not open it.")] = None,
    as_json: Json = False,
) -> int:
    """Open the guides of all labs, or of lab N, as one page that needs no network."""
    from labkit.commands.guide import guide

    with say.document(as_json):
        return guide(number, to=to)
