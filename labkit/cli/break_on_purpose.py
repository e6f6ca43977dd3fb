"""Break: heal, load, chaos; `labkit fault` has a file of its own. Names, options and help; each command is imported when it is called."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.app import Json, Name
from labkit.terminal import say

app = typer.Typer()


@app.command()
def heal(
    fault: Annotated[str | None, typer.Argument(metavar="[ID]", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Undo all faults, the latest first.")] = False,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Undo a fault and verify that nothing of it is left. Without ID: the only fault that is set."""
    from labkit.commands.heal import heal

    with say.document(as_json):
        return heal(name, fault, everything=everything)


@app.command()
def load(
    clients: Annotated[int, typer.Option(min=1, help="Number of clients; each waits for the end of its order.")] = 16,
    rate: Annotated[float | None, typer.Option(min=0.1, help="Orders per second, instead of clients.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long.")] = 10.0,
    customers: Annotated[int, typer.Option(min=1, help="Number of customers.")] = 100,
    direct: Annotated[bool, typer.Option("--direct", help="Bypass the gateway.")] = False,
    seed: Annotated[int | None, typer.Option(help="Use the amounts of an earlier run.")] = None,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Place orders at a rate or with a number of clients; then report sagas per second, latencies and what did not finish."""
    from labkit.commands.load import load

    return load(name, clients=clients, rate=rate, seconds=seconds, customers=customers, direct=direct, as_json=as_json, seed=seed)


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
