"""The outage that lab 3 plays before it judges what the view knows after a kill. Orders are placed while the view is down. Events of
another customer come a second time, some of them behind newer ones. All of this is held until the view is up again and is then taken
at once."""

import asyncio
import time
from typing import Any

from labkit.checking import Customer, Evidence, Fact, Failed, Order, SharedScene, Trial, beside, differences, faults
from labkit.checking.invariants import I7

passage = beside(__file__, "passage")
ORDERS = 20
SHOWN_S, LOOK_S = 10.0, 0.02
CODE = "services/order_history"


class Kill:
    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.passage = passage.Passage(trial)
        self.scene = SharedScene(trial, "kill", self._play)

    async def _play(self) -> None:
        trial = self.trial
        self.customers = [await trial.customer(limit="99.99") for _ in range(2)]
        self.copied = await trial.customer(limit="99.99")
        before = [await self._decided(customer, f"{n}.00", f"{n}.99") for n, customer in enumerate((*self.customers, self.copied), 1)]
        known = {customer.id: trial.books.document(customer.id) for customer in self.customers}
        await self._shown({**known, self.copied.id: trial.books.document(self.copied.id)})
        # A view that is rebuilding still takes older orders; the gate is meant for orders that are placed while the view is down.
        await self.passage.caught_up(expected="it takes every event", so="it hangs.")
        later = await trial.faults.apply(faults.gate("order-history", event_type="OrderCreated"))
        killed = await trial.faults.apply(faults.outage(trial.stack, "kill", "order-history"))
        await trial.faults.fired(killed)
        totals = [trial.amount(f"{number % 4 + 3}.{number:02}", f"{number % 4 + 3}.{number:02}") for number in range(ORDERS)]
        placed = [await trial.order(self.customers[number % 2], total) for number, total in enumerate(totals)]
        for order in placed:
            await trial.becomes(order, trial.books.decide(order))
        cancelled = await self._decided(self.copied, "4.00", "4.99")
        await trial.cancel(cancelled)
        await trial.becomes(cancelled, trial.books.cancel(cancelled))
        await self._come_again(before[-1], cancelled)
        await trial.faults.heal(killed)
        expected = f"after its start it takes what was published while it was down, {ORDERS} orders"
        so = "it hangs, or it does not begin where it stopped: what was published while it was down is skipped."
        held = await self.passage.holds(later, expected, so)
        if held:
            await self.scene.note("3.7", lambda: self._still_known(known, later.id))
        await trial.faults.heal(later)
        evidence = await trial.evidence()  # everything has been taken
        await self.scene.note("3.7", lambda: self._caught_up(evidence, list(known), None if held else passage.not_held(later)))
        await self.scene.note("3.3", lambda: self._counted_once(before[-1], cancelled))

    async def _decided(self, customer: Customer, low: str, high: str) -> Order:
        order = await self.trial.order(customer, self.trial.amount(low, high))
        await self.trial.becomes(order, self.trial.books.decide(order))
        return order

    async def _come_again(self, taken: Order, cancelled: Order) -> None:
        """Publish copies of events that the view took before the kill, and copies of another order's older events behind its newer ones."""
        again = [("OrderCreated", taken), ("OrderApproved", taken), ("OrderApproved", cancelled), ("OrderCreated", cancelled)]
        await self.trial.outboxes.published(cancelled, "OrderCancelled")
        ids = [await self.trial.outboxes.published(order, event) for event, order in again]
        await self.trial.faults.apply(await asyncio.to_thread(faults.copies, self.trial.stack, ids))

    async def _shown(self, known: dict[int, dict[str, Any]]) -> None:
        """Wait until the order history shows these documents."""
        trial, deadline = self.trial, time.monotonic() + SHOWN_S
        for customer, document in known.items():
            while differences(document, (await trial.history(customer))[1]):
                if time.monotonic() > deadline:
                    await trial.require(I7, about=list(known))  # waits until the view has taken everything
                    await self._shows(customer, document)
                    break
                await asyncio.sleep(LOOK_S)

    async def _shows(self, customer: int, document: dict[str, Any]) -> None:
        _, found = await self.trial.history(customer)
        if differences(document, found):
            raise Failed(
                f"The order history of customer {customer} does not show what became of its order.",
                expected=str(document),
                found=str(found),
                next_step="labkit lab 3 check 3.1",
            )

    async def _still_known(self, known: dict[int, dict[str, Any]], gate: str) -> None:
        for customer, document in known.items():
            status, found = await self.trial.history(customer)
            if status != 200:
                raise _forgot(customer, f"GET answers {status}", gate)
            for field, expected, shown in differences(document, {name: found.get(name) for name in document}):
                raise _forgot(customer, f"{field} is {shown}, it was {expected}", gate)

    async def _caught_up(self, evidence: Evidence, customers: list[int], otherwise: Failed | None) -> None:
        """Judge what the view shows. Raises `otherwise` if the stores show nothing wrong."""
        evidence.require(I7, about=customers)
        if otherwise is not None:
            raise otherwise
        for customer in customers:
            _, found = await self.trial.history(customer)
            wanted = self.trial.books.document(customer)
            for field, expected, shown in differences(wanted, {name: (found or {}).get(name) for name in wanted}):
                raise Failed(
                    f"After it was down for {ORDERS} orders, the order history of customer {customer} shows {field} = {shown}.",
                    expected=f"{field} = {expected}",
                    found=f"{field} = {shown}",
                    next_step=f"does the view continue where it stopped? see {CODE}/effects.py",
                )

    async def _counted_once(self, taken: Order, cancelled: Order) -> None:
        customer = self.copied.id
        _, found = await self.trial.history(customer)
        wanted = self.trial.books.document(customer)
        for field, expected, shown in differences(wanted, {name: (found or {}).get(name) for name in wanted}):
            if field.startswith(f"orders.{cancelled.id}."):
                when = f"OrderApproved and OrderCreated of order {cancelled.id} came again, together with OrderCancelled and behind it"
                so = "the stored state is read first and written later: another event comes between. Read, compare and write in one call."
            else:
                when = f"order-history was killed and started again, and events of order {taken.id} came that it had taken before"
                so = "the counted events were remembered only in the memory of its process: count what is there when it is read."
            raise Failed(
                f"{when}: the order history of customer {customer} shows {field} = {shown}; it should be {expected}.",
                expected=f"{field} = {expected}",
                found=f"{field} = {shown}",
                so=so,
                next_step=f"see {CODE}/store.py and {CODE}/apply_event.lua, which write what an event says",
            )


def _forgot(customer: int, how: str, gate: str) -> Failed:
    return Failed(
        f"order-history was killed, and it no longer knows what it knew of customer {customer}: {how}.",
        expected="the same document as before the kill, at once",
        found=how,
        because=[Fact("no event has been taken since, they are all held", f"the ledger, fault {gate}")],
        so="what the view knew was only in the memory of its process.",
        next_step=f'labkit sql "select * from view_customers where customer_id = {customer}" shows what Redis holds',
    )
