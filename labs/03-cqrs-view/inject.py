"""What lab 3 plays to be looked at."""

import asyncio

from labkit.faults import make, places
from labkit.lab.check import NotJudged
from labkit.lab.client import Customer, PlacedOrder
from labkit.lab.scenario import Run

TWENTY = 20


async def overtaken(run: Run) -> dict[str, object]:
    """The view has taken OrderApproved and then OrderCreated; the second OrderApproved is held before it."""
    everything = await run.fault(make.gate("order-history"))
    ada, order = await _approved(run)
    assert order.id is not None
    created, approved = await run.order_published(order, "OrderCreated"), await run.order_published(order, "OrderApproved")
    count = await asyncio.to_thread(places.partitions, run.stack, "order")
    own = make.partition_of(str(order.id), count)
    late = await run.fault(make.gate("order-history", message_id=created))
    last = await run.fault(make.gate("order-history", message_id=approved, partition=own))
    await run.heal(everything)
    await run.fault(make.duplicate(run.stack, approved, partition=(own + 1) % count, who="order-history"))
    await run.heal(late)
    await run.hit(last, "held")
    said = f"The view took OrderApproved of order {order.id} before OrderCreated. Nothing else has come since."
    return {"order": order.id, "customer": ada.id, "said": said}


async def copied(run: Run) -> dict[str, object]:
    """OrderCreated of an approved order comes a second time."""
    ada, order = await _approved(run)
    created = await run.order_published(order, "OrderCreated")
    await run.order_published(order, "OrderApproved")
    await run.fault(make.duplicate(run.stack, created))
    said = f"Order {order.id} is APPROVED, and OrderCreated has come a second time."
    return {"order": order.id, "customer": ada.id, "said": said}


async def nameless(run: Run) -> dict[str, object]:
    """The view has an order whose customer it has not heard of yet."""
    await run.fault(make.gate("order-history", event_type="CustomerCreated"))
    ada, order = await _approved(run)
    said = f"The view has order {order.id}, and CustomerCreated of customer {ada.id} is held before it."
    return {"order": order.id, "customer": ada.id, "said": said}


async def killed(run: Run) -> dict[str, object]:
    """The view is killed, and twenty orders come."""
    ada = await _customer(run, "1000.00")
    await run.fault(make.outage(run.stack, "kill", "order-history"))
    for number in range(TWENTY):
        await run.order(ada, f"1.{number:02}")
    said = f"order-history was killed, and {TWENTY} orders of customer {ada.id} were placed. `labkit heal --all` starts it again."
    return {"customer": ada.id, "said": said}


async def _approved(run: Run) -> tuple[Customer, PlacedOrder]:
    ada = await _customer(run, "15.00")
    order = await run.order(ada, "12.34")
    assert order.id is not None
    number = order.id
    await run.until("the order is approved", lambda: run.state(number), lambda seen: seen == "APPROVED")
    return ada, order


async def _customer(run: Run, limit: str) -> Customer:
    ada = await run.customer("Ada", limit)
    if ada is None:
        raise NotJudged("No customer could be made.", next_step="labkit status")
    return ada
