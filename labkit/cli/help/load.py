"""`labkit load`: options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Json, Name

app = typer.Typer()


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
    """Place orders at a rate or with a number of clients; then report sagas per second, latencies and what did not finish. While a check,
    an exam or a chaos run judges the stack, no orders are placed."""
    from labkit.commands.load import load

    return load(name, clients=clients, rate=rate, seconds=seconds, customers=customers, direct=direct, as_json=as_json, seed=seed)
