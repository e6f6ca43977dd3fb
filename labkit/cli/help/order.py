"""`labkit order`: options and help."""

from typing import Annotated

import typer

from labkit.cli.app import Json, Name

app = typer.Typer()


@app.command()
def order(
    total: Annotated[str, typer.Argument(metavar="TOTAL")],
    customer: Annotated[int | None, typer.Option(metavar="N", help="The customer who orders; without it, a new one.")] = None,
    limit: Annotated[str | None, typer.Option(metavar="AMOUNT", help="The new customer's credit limit; default: 15.00.")] = None,
    as_json: Json = False,
    name: Name = "default",
) -> int:
    """Place one order for TOTAL through the gateway, and wait up to 5 s for the end of its saga."""
    from labkit.commands.order import order

    return order(name, total, customer=customer, limit=limit, as_json=as_json)
