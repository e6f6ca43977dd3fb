"""`labkit exam`: options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Json, Name

app = typer.Typer()


@app.command()
def exam(
    seconds: Annotated[float, typer.Option(min=1, max=86_400, help="How long; the last history is played to its end.")] = 150.0,
    seed: Annotated[int | None, typer.Option(help="Repeat an earlier exam.")] = None,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Judge a solution at length. Customers place and cancel orders as drawn from a seed, and ask for what must be refused; components are
    killed, messages come twice, and orders are held and let go at the worst moment. Every answer and every store must be as the rules say.
    The exam ends with the first history that fails, and looks for fewer steps that fail. Exit codes as for labkit verify: 0 pass, 1 fail,
    2 unknown."""
    from labkit.commands.exam import exam

    return exam(name, seconds=seconds, seed=seed, as_json=as_json)
