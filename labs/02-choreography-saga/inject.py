"""What lab 2 plays to be looked at."""

import time

from labkit.faults import make
from labkit.lab.check import NotJudged
from labkit.lab.client import Customer, PlacedOrder
from labkit.lab.scenario import Run


async def hanging(run: Run) -> dict[str, object]:
    """An order of a customer whom nobody knows."""
    order = await run.order(2**62 + time.time_ns(), "12.34")
    await run.order_published(order, "CustomerValidationFailed")
    return {"order": order.id, "customer": order.customer_id, "said": f"An unknown customer has placed order {order.id} for 12.34."}


async def leaked(run: Run) -> dict[str, object]:
    """An order that is approved, then cancelled."""
    ada, order = await _approved(run)
    await run.cancel(order.id or 0)
    await run.order_published(order, "OrderCancelled")
    said = f"{ada.name} may spend 15.00. Order {order.id} for 12.34 was approved, then cancelled."
    return {"order": order.id, "customer": ada.id, "said": said}


async def answer_waits(run: Run) -> dict[str, object]:
    """customers has answered, and orders was stopped before it took the answer."""
    ada = await _ada(run)
    gate = await run.fault(make.gate("orders", event_type="CustomerCreditReserved", key=str(ada.id)))
    order = await run.order(ada, "12.34")
    await run.hit(gate, "held")
    await run.fault(make.outage(run.stack, "stop", "orders"))
    await run.heal(gate)
    said = f"customers has reserved 12.34 for order {order.id} and said so; orders was stopped before it took the answer."
    return {"order": order.id, "customer": ada.id, "said": said}


async def _approved(run: Run) -> tuple[Customer, PlacedOrder]:
    ada = await _ada(run)
    order = await run.order(ada, "12.34")
    assert order.id is not None
    number = order.id
    await run.until("the order is approved", lambda: run.state(number), lambda seen: seen == "APPROVED")
    return ada, order


async def _ada(run: Run) -> Customer:
    ada = await run.customer("Ada", "15.00")
    if ada is None:
        raise NotJudged("No customer could be made.", next_step="labkit status")
    return ada
