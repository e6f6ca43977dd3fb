"""Plays lab 7's failure: an order that customers is kept from answering."""

from labkit.faults import make
from labkit.lab.scenario import Run


async def hold(run: Run) -> dict[str, object]:
    await run.fault(make.gate("customers"))
    order = await run.order(1, "12.34")
    return {"order": order.id}
