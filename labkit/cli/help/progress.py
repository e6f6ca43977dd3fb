"""`labkit progress VERB`: names, options and help."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json, Yes
from labkit.terminal import say

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Carry your progress to another workspace.")


@app.command("export", short_help="Write your progress to a file.")
def export(file: Annotated[Path, typer.Argument(metavar="FILE")], as_json: Json = False) -> int:
    """Write the progress of this workspace to FILE."""
    from labkit.commands.progress import export

    with say.document(as_json):
        return export(file)


@app.command("import", short_help="Merge a file into this workspace's progress.")
def load(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Merge what another workspace exported: a check that was passed in either stays passed."""
    from labkit.commands.progress import load

    with say.document(as_json):
        return load(file, yes=yes)
