"""Teach: jump, doctor, support, completion. Names, options and help; each command is imported when it is called."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json, Name, Yes
from labkit.terminal import say

app = typer.Typer()


@app.command()
def jump(number: Annotated[int, typer.Argument(metavar="N")], yes: Yes = False, as_json: Json = False, name: Name = "default") -> int:
    """Set stack and workspace to where lab N begins, and count the labs before it as skipped. Your files are saved."""
    from labkit.commands.progress import jump

    with say.document(as_json):
        return jump(name, number, yes=yes)


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


@app.command()
def support(file: Annotated[Path, typer.Argument(metavar="FILE")], as_json: Json = False, name: Name = "default") -> int:
    """Write one compressed file with the doctor's findings, versions, status, logs, events and the last evidence, without secrets."""
    from labkit.commands.support import support

    with say.document(as_json):
        return support(name, file)


@app.command()
def completion(
    context: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish")],
    words: Annotated[list[str] | None, typer.Argument(hidden=True, show_default=False)] = None,
) -> int:
    """Print the script that your shell sources, so that Tab completes commands, options, labs, checks, components, faults and stacks."""
    from labkit.cli.completion import completion

    return completion(shell, words or [], context.find_root().command)
