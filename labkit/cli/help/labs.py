"""`labkit labs`: options and help."""

import typer

from labkit.cli.app import Json

app = typer.Typer()


@app.command()
def labs(as_json: Json = False) -> int:
    """List the labs with their time, your progress, and what comes next."""
    from labkit.commands.labs import labs

    return labs(as_json=as_json)
