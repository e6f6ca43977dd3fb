"""`labkit status`: options and help."""

import typer

from labkit.cli.app import Json, Name

app = typer.Typer()


@app.command()
def status(name: Name = "default", as_json: Json = False) -> int:
    """Show each component with its state, endpoint, process and memory. Exit code 1 if a component is not ready."""
    from labkit.commands.status import status

    return status(name, as_json=as_json)
