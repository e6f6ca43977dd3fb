"""Lab 3: the order history is what its events say, in whatever order they come and however often, and it needs nobody to answer."""

import asyncio
import time
from typing import Any

from labkit.faults import make
from labkit.invariants.catalog import I7
from labkit.invariants.witness import Fact
from labkit.lab.check import Failed, check
from labkit.lab.content import beside
from labkit.lab.documents import differences
from labkit.lab.trial import Trial

stage = beside(__file__, "stage")
ORDERS = 20
SHOWN_S, LOOK_S = 10.0, 0.02


class View:
    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.stage = stage.Stage(trial)


@check("3.1", "The order history shows what the services hold", alone=True)
async def shows_what_is_held(lab: View) -> None:
    await lab.stage.played("3.1")


@check("3.2", "An event that overtakes another does no harm", alone=True)
async def overtaking(lab: View) -> None:
    await lab.stage.played("3.2")


@check("3.3", "An event that comes twice counts once", alone=True)
async def twice(lab: View) -> None:
    await lab.stage.played("3.3")


@check("3.4", "An order may come before its customer", alone=True)
async def order_before_customer(lab: View) -> None:
    await lab.stage.played("3.4")


@check("3.5", "The order history answers while those who own the data are down", alone=True)
async def owners_down(lab: View) -> None:
    await lab.stage.played("3.5")


@check("3.6", "Nobody's order history is not found", alone=True)
async def of_nobody(lab: View) -> None:
    await lab.stage.played("3.6")


@check("3.7", f"After a kill it still knows everything, and catches up with {ORDERS} orders", alone=True)
async def after_a_kill(lab: View) -> None:
    trial = lab.trial
    customers = [await trial.customer(limit="99.99") for _ in range(2)]
    for number, customer in enumerate(customers):
        order = await trial.order(customer, trial.amount(f"{number + 1}.00", f"{number + 1}.99"))
        await trial.becomes(order, trial.books.decide(order))
    known = {customer.id: trial.books.document(customer.id) for customer in customers}
    await _shown(trial, known)
    later = await trial.fault(make.gate("order-history", event_type="OrderCreated"))
    killed = await trial.fault(make.outage(trial.stack, "kill", "order-history"))
    await trial.fired(killed)
    totals = [trial.amount(f"{number % 4 + 3}.{number:02}", f"{number % 4 + 3}.{number:02}") for number in range(ORDERS)]
    placed = [await trial.order(customers[number % 2], total) for number, total in enumerate(totals)]
    for order in placed:
        await trial.becomes(order, trial.books.decide(order))
    await trial.heal(killed)
    expected = f"after its start it takes what was published while it was down, {ORDERS} orders"
    so = "it hangs, or it does not begin where it stopped: what was published while it was down is skipped."
    if not await lab.stage.passage.holds(later, expected, so):
        await trial.heal(later)
        await trial.require(I7, about=list(known))
        raise stage.passage.not_held(later)
    for customer, document in known.items():
        status, found = await trial.history(customer)
        if status != 200:
            raise _forgot(customer, f"GET answers {status}", later.id)
        for field, expected, shown in differences(document, {name: found.get(name) for name in document}):
            raise _forgot(customer, f"{field} is {shown}, it was {expected}", later.id)
    await trial.heal(later)
    await trial.require(I7, about=list(known))
    for customer in known:
        status, found = await trial.history(customer)
        wanted = trial.books.document(customer)
        for field, expected, shown in differences(wanted, {name: (found or {}).get(name) for name in wanted}):
            raise Failed(
                f"After it was down for {ORDERS} orders, the order history of customer {customer} shows {field} = {shown}.",
                expected=f"{field} = {expected}",
                found=f"{field} = {shown}",
                next_step="does the view go on where it stopped? see services/order_history/effects.py",
            )


async def _shown(trial: Trial, known: dict[int, dict[str, Any]]) -> None:
    """Await that the order history shows these documents."""
    deadline = time.monotonic() + SHOWN_S
    for customer, document in known.items():
        while differences(document, (await trial.history(customer))[1]):
            if time.monotonic() > deadline:
                await trial.require(I7, about=list(known))
                raise Failed(
                    f"The order history of customer {customer} does not show what became of its order.",
                    expected=str(document),
                    found=str((await trial.history(customer))[1]),
                    next_step="labkit lab 3 check 3.1",
                )
            await asyncio.sleep(LOOK_S)


def _forgot(customer: int, how: str, gate: str) -> Failed:
    return Failed(
        f"order-history was killed, and it no longer knows what it knew of customer {customer}: {how}.",
        expected="the same document as before the kill, at once",
        found=how,
        because=[Fact("no event has been taken since, they are all held", f"the ledger, fault {gate}")],
        so="what the view knew was in the memory of its process, and it ended with it.",
        next_step=f'labkit sql "select * from view_customers where customer_id = {customer}" shows what Redis holds',
    )


def prepare(trial: Trial) -> View:
    """What the checks of this lab are given."""
    return View(trial)
