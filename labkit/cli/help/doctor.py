"""`labkit doctor`: options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Json, Name

app = typer.Typer()


@app.command()
def doctor(
    rehearse: Annotated[bool, typer.Option("--rehearse", help="Start a stack, run lab 1, and remove the stack.")] = False,
    runtime: Annotated[str | None, typer.Option(metavar="docker|native", help="The runtime to check for.")] = None,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Check everything that a stack needs, and report each problem with the command that fixes it. Changes nothing, except with --rehearse,
    which starts a stack of its own, runs lab 1 and removes the stack. Exit code 0 ready, 1 not ready, 2 cannot tell."""
    from labkit.commands.doctor import doctor

    return doctor(name, runtime=runtime, rehearse=rehearse, as_json=as_json)
