"""`labkit verify`: options and help."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json, Name

app = typer.Typer()


@app.command()
def verify(
    as_json: Json = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Also write a page with the timeline.")] = None,
    evidence: Annotated[Path | None, typer.Option(metavar="FILE", help="Judge this file instead of the stack.")] = None,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Save the evidence to a file that can be judged anywhere.")] = None,
    name: Name = "default",
) -> int:
    """Judge everything since the stack's last reset: exit code 0 pass, 1 fail, 2 unknown."""
    from labkit.commands.verify import verify

    return verify(name, json_wanted=as_json, html=html, evidence=evidence, save=save)
