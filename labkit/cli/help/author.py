"""`labkit author VERB`: names, options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Json
from labkit.terminal import say

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="For lab authors: see docs/writing-a-lab.md.")


@app.command("test", short_help="Prove labs: starter, solution, variants, mutants, guide, messages.")
def prove(
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[N]...", show_default=False, help="Which labs; default: all.")] = None,
    record: Annotated[bool, typer.Option("--record", help="Record the messages as they are now.")] = False,
    mutant: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this mutant or right variant.", show_default=False)] = None,
    runtime: Annotated[str | None, typer.Option(metavar="docker|native", show_default=False)] = None,
    as_json: Json = False,
) -> int:
    """Prove labs on a stack of their own: the starter fails exactly its named checks, the solution and each right variant pass all, each
    mutant is caught by its check with its own message, the guide's anchors and commands exist, and the messages are as recorded. Exit code
    0 if all of this holds, else 1."""
    from labkit.cli.line_check import misunderstood
    from labkit.commands.author import prove

    with say.document(as_json):
        return prove(numbers or [], misunderstood, record=record, runtime=runtime, only=mutant or [])
