"""`labkit trace`: options and help."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json, Name

app = typer.Typer()


@app.command()
def trace(
    subject: Annotated[str, typer.Argument(metavar="order|customer|message")],
    subject_id: Annotated[str, typer.Argument(metavar="ID")],
    diagram: Annotated[bool, typer.Option("--diagram", help="Draw a sequence diagram in the terminal.")] = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid sequence diagram.")] = False,
    as_json: Json = False,
    evidence: Annotated[Path | None, typer.Option(metavar="FILE", help="Read this evidence file instead of the stack.")] = None,
    name: Name = "default",
) -> int:
    """Show each hop of an order (or customer, or message) through the stores, and the first one that is missing with its likely cause."""
    from labkit.commands.trace import trace

    form = "json" if as_json else "mermaid" if mermaid else "diagram" if diagram else "text"
    return trace(name, subject, subject_id, form=form, evidence=evidence)
