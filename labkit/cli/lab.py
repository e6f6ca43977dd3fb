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
def lab(context: typer.Context, number: Annotated[int, typer.Argument(metavar="N", help="Its number.")]) -> int:
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
    """Put your workspace where the lab begins, on empty stores. Your earlier work is kept: restore brings it back. In a lab that was
    started already nothing is changed; reset begins it anew."""
    from labkit.commands.lab_files import start

    with say.document(as_json):
        return start(name, _number(context), yes=yes)


@app.command(short_help="Say what will happen, before it does.")
def predict(
    context: typer.Context,
    step: Step = None,
    answer: Annotated[
        int | None, typer.Option("--answer", min=1, metavar="NUMBER", help="Your answer, if you do not want to be asked.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Answer a step's question before its failure is played. What really happens is compared with it afterwards."""
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
    """Play the failure of a step on your code, judge nothing, leave the state as it is, and say what to look with."""
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
    """Judge a lab on the running stack; CHECK, such as 1.2, names some of its checks. Takes over what you edited first."""
    if watch:
        from labkit.commands.lab_check import check_again_and_again

        return check_again_and_again(name, _number(context), only or [], as_json=as_json, seed=seed)
    from labkit.commands.lab_check import check

    return check(name, _number(context), only or [], as_json=as_json, seed=seed)


@app.command(short_help="Get the next hint.")
def hint(context: typer.Context, step: Step = None, as_json: Json = False) -> int:
    """Show the next of a step's three hints, and those that you have seen. They cost nothing. Without STEP: of the first open one."""
    from labkit.commands.lab_steps import hint

    with say.document(as_json):
        return hint(_number(context), step)


@app.command(short_help="Show or apply the solution.")
def solution(
    context: typer.Context,
    diff: Annotated[bool, typer.Option("--diff", help="Show what you would have to change.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Put it in place of your files; yours are kept.")] = False,
    yes: Yes = False,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Show the lab's solution, or apply it. What you pass from then on counts as passed after the solution."""
    if diff and apply:
        raise UserError("--diff shows and --apply changes: not both.", "labkit lab N solution --diff", exit_code=ExitCode.USAGE)
    from labkit.commands.lab_files import solution

    with say.document(as_json):
        return solution(name, _number(context), diff=diff, apply=apply, yes=yes)


@app.command(short_help="Bring kept work back.")
def restore(
    context: typer.Context,
    snapshot: Annotated[str | None, typer.Argument(metavar="[NAME|PATH]", show_default=False)] = None,
    listing: Annotated[bool, typer.Option("--list", help="What is kept.")] = False,
    as_json: Json = False,
) -> int:
    """Bring back the work that start, reset or solution kept: the latest of this lab, or NAME. A path, such as services/orders/app.py,
    brings back that one file as the lab has it. What is there now is kept, too."""
    from labkit.commands.lab_files import restore

    with say.document(as_json):
        return restore(_number(context), snapshot, listing=listing)


@app.command(short_help="Go back to where the lab begins.")
def reset(context: typer.Context, yes: Yes = False, as_json: Json = False, name: Name = "default") -> int:
    """Put code and data back to where the lab begins. Your files are kept, your progress stays."""
    from labkit.commands.lab_files import reset

    with say.document(as_json):
        return reset(name, _number(context), yes=yes)


@app.command(short_help="Walk through the code.")
def tour(context: typer.Context, as_json: Json = False) -> int:
    """Walk through the places in the code that the lab is about, as file:line."""
    from labkit.commands.lab_guide import tour

    with say.document(as_json):
        return tour(_number(context))
