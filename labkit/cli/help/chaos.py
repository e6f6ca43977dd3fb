"""`labkit chaos`: options and help."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json, Name

app = typer.Typer()


@app.command()
def chaos(
    seconds: Annotated[float, typer.Option(min=5, help="How long.")] = 30.0,
    seed: Annotated[int | None, typer.Option(help="Repeat an earlier run: same faults, same load.")] = None,
    rate: Annotated[float, typer.Option(min=1, max=500, help="Orders per second.")] = 30.0,
    victims: Annotated[
        list[str] | None, typer.Option("--victim", metavar="COMPONENT", help="Break only this component; may be repeated.")
    ] = None,
    schedule: Annotated[Path | None, typer.Option("--schedule", metavar="FILE", help="Play a saved schedule.")] = None,
    shrink: Annotated[bool, typer.Option("--shrink/--no-shrink", help="After a failure, look for a shorter schedule that fails.")] = True,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Draw faults and load from a seed, heal, wait, and judge. Exit codes as for labkit verify: 0 pass, 1 fail, 2 unknown."""
    from labkit.commands.chaos import chaos

    return chaos(name, seconds=seconds, seed=seed, rate=rate, victims=victims or [], kept=schedule, shrinking=shrink, as_json=as_json)
