"""`labkit reset`: options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Json, Name, Yes
from labkit.errors import ExitCode, UserError
from labkit.terminal import say

app = typer.Typer()


@app.command()
def reset(
    data: Annotated[bool, typer.Option("--data", help="Delete customers, orders and messages (the default).")] = False,
    lab: Annotated[int | None, typer.Option("--lab", metavar="N", help="Reset files and data to where lab N begins.")] = None,
    workspace: Annotated[
        bool, typer.Option("--workspace", help="Reset files to those that labkit init made, and clear your progress.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Reset workspace and data; the servers start cold.")] = False,
    stacks: Annotated[str | None, typer.Option("--stack", metavar="PATTERN", help="Reset all matching stacks, such as 'seat-*'.")] = None,
    yes: Yes = False,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Start over. Each form says what will be lost and asks first; your files that it replaces are always saved. With --stack, all matching
    stacks are reset in parallel, and the exit code is 0 only if each of them then passes lab 1."""
    if data + workspace + everything + (lab is not None) > 1:
        message = "--data, --lab, --workspace and --all are different resets: choose one."
        raise UserError(message, "labkit reset --help", exit_code=ExitCode.USAGE)
    from labkit.commands import lab_files, reset

    what = reset.WORKSPACE if workspace else reset.ALL if everything else reset.DATA
    with say.document(as_json):
        if stacks is not None:
            return reset.reset_many(stacks, what=what, lab=lab, yes=yes)
        return lab_files.reset(name, lab, yes=yes) if lab is not None else reset.reset(name, what=what, yes=yes)
