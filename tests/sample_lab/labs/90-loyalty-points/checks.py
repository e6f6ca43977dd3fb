"""Checks of a test lab: each approved order earns its points once."""

from labkit.checking import Failed, Trial, check
from labkit.checking.invariants import I2, I4, I90


@check("90.1", "An approved order earns its points once")
async def earns_its_points(trial: Trial) -> None:
    _, customer = await trial.customer(), await trial.customer(limit="99.99")  # so that the order has another id than its customer
    order = await trial.order(customer, trial.amount("12.01", "49.99"))
    await trial.becomes(order, trial.books.decide(order))
    await trial.require(I2, I4, I90, about=[customer.id])
    told = [message.customer_id for message in await trial.outboxes.about_order(order, "PointsGiven")]
    if told != [customer.id]:
        raise Failed(
            f"PointsGiven of order {order.id} was not written once, for customer {customer.id}.",
            expected=f"one, for customer {customer.id}",
            found=", ".join(f"one for customer {who}" for who in told) or "none",
            next_step="which events does loyalty publish, and with which ids?",
        )


def prepare(trial: Trial) -> Trial:
    return trial
