"""What lab 1 plays to be looked at."""

from labkit.faults import make
from labkit.lab.check import NotJudged
from labkit.lab.client import Customer
from labkit.lab.scenario import Run


async def held_before_customers(run: Run) -> dict[str, object]:
    """An order that customers is kept from taking."""
    ada = await _ada(run)
    await run.fault(make.gate("customers", event_type="OrderCreated"))
    order = await run.order(ada, "12.34")
    return {"order": order.id, "customer": ada.id, "said": f"{ada.name} may spend 15.00 and has placed order {order.id} for 12.34."}


async def while_customers_is_down(run: Run) -> dict[str, object]:
    """An order that is placed while customers does not run."""
    ada = await _ada(run)
    await run.fault(make.outage(run.stack, "stop", "customers"))
    order = await run.order(ada, "12.34")
    status = run.requests[-1]["status"]
    return {"order": order.id, "customer": ada.id, "said": f"customers is stopped. POST /orders answered {status or 'nothing'}."}


async def _ada(run: Run) -> Customer:
    ada = await run.customer("Ada", "15.00")
    if ada is None:
        raise NotJudged("No customer could be made.", next_step="labkit status")
    return ada
