"""The failures that lab 3 plays for inspection."""

from labkit.checking import APPROVED, Customer, Order, Trial, faults, until

TWENTY = 20


async def overtaken(trial: Trial) -> dict[str, object]:
    """The view has taken OrderApproved and then OrderCreated; the second OrderApproved is held before it."""
    run = trial.faults
    everything = await run.apply(faults.gate("order-history"))
    ada, order = await _approved(trial)
    created = await trial.outboxes.published(order, "OrderCreated")
    approved = await trial.outboxes.published(order, "OrderApproved")
    count = await trial.broker.partitions("order")
    own = trial.broker.partition_of(order.id, count)
    late = await run.apply(faults.gate("order-history", message_id=created))
    last = await run.apply(faults.gate("order-history", message_id=approved, partition=own))
    await run.heal(everything)
    await run.apply(faults.duplicate(trial.stack, approved, partition=(own + 1) % count, who="order-history"))
    await run.heal(late)
    await run.hit(last, "held")
    said = f"The view took OrderApproved of order {order.id} before OrderCreated. Nothing else has come since."
    return {"order": order.id, "customer": ada.id, "said": said}


async def copied(trial: Trial) -> dict[str, object]:
    """OrderCreated of an approved order comes a second time."""
    ada, order = await _approved(trial)
    created = await trial.outboxes.published(order, "OrderCreated")
    await trial.outboxes.published(order, "OrderApproved")
    await trial.faults.apply(faults.duplicate(trial.stack, created))
    said = f"Order {order.id} is APPROVED, and OrderCreated has come a second time."
    return {"order": order.id, "customer": ada.id, "said": said}


async def nameless(trial: Trial) -> dict[str, object]:
    """The view has an order whose customer it does not yet know."""
    await trial.faults.apply(faults.gate("order-history", event_type="CustomerCreated"))
    ada, order = await _approved(trial)
    said = f"The view has order {order.id}, and CustomerCreated of customer {ada.id} is held before it."
    return {"order": order.id, "customer": ada.id, "said": said}


async def killed(trial: Trial) -> dict[str, object]:
    """The view is killed, and twenty orders are placed."""
    ada = await trial.customer("Ada", "1000.00")
    await trial.faults.apply(faults.outage(trial.stack, "kill", "order-history"))
    for number in range(TWENTY):
        await trial.order(ada, f"1.{number:02}")
    said = f"order-history was killed, and {TWENTY} orders of customer {ada.id} were placed. `labkit heal --all` starts it again."
    return {"customer": ada.id, "said": said}


async def _approved(trial: Trial) -> tuple[Customer, Order]:
    ada = await trial.customer("Ada", "15.00")
    order = await trial.order(ada, "12.34")
    await until("the order is approved", lambda: trial.state(order), lambda seen: seen == APPROVED)
    return ada, order
