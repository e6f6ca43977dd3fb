"""`labkit watch`: options and help."""

import typer

from labkit.cli.app import Name

app = typer.Typer()


@app.command()
def watch(name: Name = "default") -> int:
    """Restart services when you save their files, until Ctrl-C."""
    from labkit.commands.watch import watch

    return watch(name)
