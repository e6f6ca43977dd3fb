"""The failures that lab 2 plays for inspection."""

from labkit.checking import APPROVED, Customer, Order, Trial, faults, until


async def hanging(trial: Trial) -> dict[str, object]:
    """An order from an unknown customer."""
    order = await trial.order(trial.unknown_customer(), "12.34")
    await trial.outboxes.published(order, "CustomerValidationFailed")
    return {"order": order.id, "customer": order.customer_id, "said": f"An unknown customer has placed order {order.id} for 12.34."}


async def leaked(trial: Trial) -> dict[str, object]:
    """An order that is approved, then cancelled."""
    ada, order = await _approved(trial)
    await trial.cancel(order)
    await trial.outboxes.published(order, "OrderCancelled")
    said = f"{ada.name} may spend 15.00. Order {order.id} for 12.34 was approved, then cancelled."
    return {"order": order.id, "customer": ada.id, "said": said}


async def answer_waits(trial: Trial) -> dict[str, object]:
    """customers has answered, and orders was stopped before it took the answer."""
    ada = await trial.customer("Ada", "15.00")
    gate = await trial.faults.apply(faults.gate("orders", event_type="CustomerCreditReserved", key=str(ada.id)))
    order = await trial.order(ada, "12.34")
    await trial.faults.hit(gate, "held")
    await trial.faults.apply(faults.outage(trial.stack, "stop", "orders"))
    await trial.faults.heal(gate)
    said = f"customers has reserved 12.34 for order {order.id} and said so; orders was stopped before it took the answer."
    return {"order": order.id, "customer": ada.id, "said": said}


async def _approved(trial: Trial) -> tuple[Customer, Order]:
    ada = await trial.customer("Ada", "15.00")
    order = await trial.order(ada, "12.34")
    await until("the order is approved", lambda: trial.state(order), lambda seen: seen == APPROVED)
    return ada, order
