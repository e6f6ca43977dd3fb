"""Plays lab 7's failure: an order that customers is kept from answering."""

from labkit.checking import Trial, faults


async def hold(trial: Trial) -> dict[str, object]:
    await trial.faults.apply(faults.gate("customers"))
    order = await trial.order(1, "12.34")
    return {"order": order.id}
