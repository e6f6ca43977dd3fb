"""`labkit lab N VERB`: names, options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Json, Name, Yes
from labkit.errors import ExitCode, UserError
from labkit.terminal import say

VERBS = "read, start, predict, inject, check, hint, solution, restore, reset and tour"

app = typer.Typer(
    rich_markup_mode=None,
    invoke_without_command=True,
    no_args_is_help=True,
    subcommand_metavar="[VERB] …",
)

Step = Annotated[str | None, typer.Argument(metavar="[STEP]", show_default=False)]


@app.callback()
def lab(context: typer.Context, number: Annotated[int, typer.Argument(metavar="N", help="The lab's number.")]) -> int:
    """Work on a lab. Without a verb: read its guide."""
    if context.invoked_subcommand is None:
        from labkit.commands.lab_guide import read

        return int(read(number, None))
    return ExitCode.OK


def _number(context: typer.Context) -> int:
    assert context.parent is not None
    return int(context.parent.params["number"])


@app.command(short_help="Read the guide, section by section.")
def read(context: typer.Context, section: Step = None, as_json: Json = False) -> int:
    """Show the guide; STEP, such as 2.3, shows the section of one step."""
    from labkit.commands.lab_guide import read

    with say.document(as_json):
        return read(_number(context), section)


@app.command(short_help="Begin: the lab's files, empty stores.")
def start(context: typer.Context, yes: Yes = False, as_json: Json = False, name: Name = "default") -> int:
    """Set your workspace to where the lab begins, with empty stores. Your earlier work is saved; restore brings it back. If the lab was
    already started, nothing changes; reset starts it over."""
    from labkit.commands.lab_files import start

    with say.document(as_json):
        return start(name, _number(context), yes=yes)


@app.command(short_help="Say what will happen, before it does.")
def predict(
    context: typer.Context,
    step: Step = None,
    answer: Annotated[int | None, typer.Option("--answer", min=1, metavar="NUMBER", help="Your answer; without it, labkit asks.")] = None,
    as_json: Json = False,
) -> int:
    """Answer a step's question before its failure is played. Afterwards, labkit compares your answer with what really happened."""
    from labkit.workspace.predictions import predict

    with say.document(as_json):
        return predict(_number(context), step, answer=answer)


@app.command(short_help="Play a step's failure on your code.")
def inject(
    context: typer.Context,
    step: Step = None,
    seed: Annotated[int | None, typer.Option(help="Repeat an earlier run: same names, same amounts.")] = None,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Play a step's failure on your code without judging it. The state stays as it is, and labkit suggests commands to look at it."""
    from labkit.commands.lab_inject import inject

    with say.document(as_json):
        return inject(name, _number(context), step, seed=seed)


@app.command(short_help="Judge your code.")
def check(
    context: typer.Context,
    only: Annotated[list[str] | None, typer.Argument(metavar="[CHECK]...", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(help="Repeat an earlier check: same names, same amounts.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Check again whenever you save, until Ctrl-C.")] = False,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Judge a lab on the running stack; CHECK, such as 1.2, selects single checks. Services that you edited restart first."""
    if watch:
        from labkit.commands.lab_check import check_again_and_again

        return check_again_and_again(name, _number(context), only or [], as_json=as_json, seed=seed)
    from labkit.commands.lab_check import check

    return check(name, _number(context), only or [], as_json=as_json, seed=seed)


@app.command(short_help="Get the next hint.")
def hint(context: typer.Context, step: Step = None, as_json: Json = False) -> int:
    """Show the next of a step's three hints, and those that you have seen. Hints cost nothing. Without STEP: the first open step."""
    from labkit.commands.lab_hint import hint

    with say.document(as_json):
        return hint(_number(context), step)


@app.command(short_help="Show or apply the solution.")
def solution(
    context: typer.Context,
    diff: Annotated[bool, typer.Option("--diff", help="Show what you would have to change.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Replace your files with it; yours are saved.")] = False,
    yes: Yes = False,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Show the lab's solution, or apply it. Checks that you pass from then on count as passed after the solution."""
    if diff and apply:
        raise UserError("--diff shows and --apply changes: choose one.", "labkit lab N solution --diff", exit_code=ExitCode.USAGE)
    from labkit.commands.lab_files import solution

    with say.document(as_json):
        return solution(name, _number(context), diff=diff, apply=apply, yes=yes)


@app.command(short_help="Bring saved work back.")
def restore(
    context: typer.Context,
    snapshot: Annotated[str | None, typer.Argument(metavar="[NAME|PATH]", show_default=False)] = None,
    listing: Annotated[bool, typer.Option("--list", help="List what is saved.")] = False,
    as_json: Json = False,
) -> int:
    """Bring back the work that start, reset or solution saved: the latest of this lab, or NAME. A path, such as services/orders/app.py,
    brings back that one file as the lab has it. Your current files are saved, too."""
    from labkit.commands.lab_files import restore

    with say.document(as_json):
        return restore(_number(context), snapshot, listing=listing)


@app.command(short_help="Go back to where the lab begins.")
def reset(context: typer.Context, yes: Yes = False, as_json: Json = False, name: Name = "default") -> int:
    """Reset code and data to where the lab begins. Your files are saved, and your progress stays."""
    from labkit.commands.lab_files import reset

    with say.document(as_json):
        return reset(name, _number(context), yes=yes)


@app.command(short_help="Walk through the code.")
def tour(context: typer.Context, as_json: Json = False) -> int:
    """Walk through the places in the code that the lab is about, as file:line."""
    from labkit.commands.lab_guide import tour

    with say.document(as_json):
        return tour(_number(context))
