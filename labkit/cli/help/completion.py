"""`labkit completion`: options and help."""

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def completion(
    context: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish")],
    words: Annotated[list[str] | None, typer.Argument(hidden=True, show_default=False)] = None,
) -> int:
    """Print the script that your shell sources, so that Tab completes commands, options, labs, checks, components, faults and stacks."""
    from labkit.cli.completion import completion

    return completion(shell, words or [], context.find_root().command)
