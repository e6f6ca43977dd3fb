"""`labkit report`: options and help."""

import typer

from labkit.cli.app import Json

app = typer.Typer()


@app.command()
def report(as_json: Json = False) -> int:
    """Show each lab and check of this workspace: passed, passed after the solution or skipped, when, with how many hints, your prediction,
    and the last failure."""
    from labkit.commands.progress import report

    return report(as_json=as_json)
