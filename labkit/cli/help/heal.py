"""`labkit heal`: options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Json, Name
from labkit.terminal import say

app = typer.Typer()


@app.command()
def heal(
    fault: Annotated[str | None, typer.Argument(metavar="[ID]", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Undo all faults, the latest first.")] = False,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Undo a fault and verify that nothing of it is left. Without ID: the only fault that is set."""
    from labkit.commands.heal import heal

    with say.document(as_json):
        return heal(name, fault, everything=everything)
