"""Checks of a test lab: each approved order earns its points once."""

from labkit.checking import Trial, check
from labkit.checking.invariants import I2, I4, I90


@check("90.1", "An approved order earns its points once")
async def earns_its_points(trial: Trial) -> None:
    customer = await trial.customer(limit="99.99")
    order = await trial.order(customer, trial.amount("12.01", "49.99"))
    await trial.becomes(order, trial.books.decide(order))
    await trial.require(I2, I4, I90, about=[customer.id])


def prepare(trial: Trial) -> Trial:
    return trial
