"""The failures that lab 1 plays for inspection."""

from labkit.checking import Trial, faults


async def held_before_customers(trial: Trial) -> dict[str, object]:
    """An order that is held before customers can take it."""
    ada = await trial.customer("Ada", "15.00")
    await trial.faults.apply(faults.gate("customers", event_type="OrderCreated"))
    order = await trial.order(ada, "12.34")
    return {"order": order.id, "customer": ada.id, "said": f"{ada.name} may spend 15.00 and has placed order {order.id} for 12.34."}


async def while_customers_is_down(trial: Trial) -> dict[str, object]:
    """An order that is placed while customers is down."""
    ada = await trial.customer("Ada", "15.00")
    await trial.faults.apply(faults.outage(trial.stack, "stop", "customers"))
    order = await trial.shop.place_order(ada, "12.34")
    status = trial.shop.requests[-1]["status"]
    return {"order": order.id, "customer": ada.id, "said": f"customers is stopped. POST /orders answered {status or 'nothing'}."}
