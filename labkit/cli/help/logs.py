"""`labkit logs`: options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Name

app = typer.Typer()


@app.command()
def logs(
    component: Annotated[str | None, typer.Argument(metavar="[COMPONENT]", show_default=False)] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Keep following until Ctrl-C.")] = False,
    lines: Annotated[int | None, typer.Option("-n", "--lines", min=0, help="Only the last N lines.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one document per line.")] = False,
    name: Name = "default",
) -> int:
    """Show the log of one component, or the last lines of each. Services' lines show when, which message, which handler and how long."""
    from labkit.commands.logs import logs

    return logs(name, component, follow=follow, lines=lines, as_json=as_json)
