"""The scenes that lab 3 plays before it judges: the view's events arrive in every possible order while the owners of the data are down.

All events of the lab are held before the view until customers, orders and MySQL are stopped. Then each scene lets some of them pass and
looks at the order history as a reader sees it. The check that a scene belongs to raises its problems.
"""

import asyncio
import time
from typing import Any

from labkit.checking import (
    APPROVED,
    CENT,
    PENDING,
    Customer,
    Fact,
    Failed,
    Fault,
    FaultSpec,
    NotJudged,
    Order,
    OrderOutcome,
    SharedScene,
    Trial,
    Wanted,
    beside,
    differences,
    faults,
    until,
)

passage = beside(__file__, "passage")
Passage, VIEW = passage.Passage, passage.VIEW

OWNERS = ("customers", "orders", "mysql")
CODE = "services/order_history"
ENDED_S = 30.0  # this lab judges the order history, not how fast orders are decided


class Stage:
    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.passage = Passage(trial)
        self.scene = SharedScene(trial, "stage", self._play)
        self._messages: dict[tuple[str, int], str] = {}
        self._copies: dict[str, FaultSpec] = {}
        self._partitions = 0

    async def _play(self) -> None:
        trial = self.trial
        everything = await trial.faults.apply(faults.gate("order-history"))
        await self._make_orders()
        await self.scene.note("3.5", lambda: self._nothing_yet(everything))
        closed = [await trial.faults.apply(order) for order in self._gates()]
        services = await asyncio.gather(*(trial.faults.apply(faults.outage(trial.stack, "stop", name)) for name in OWNERS[:-1]))
        stopped = [*services, await trial.faults.apply(faults.outage(trial.stack, "stop", OWNERS[-1]))]
        for fault in stopped:
            await trial.faults.fired(fault)
        await trial.faults.heal(everything)
        name_of_late, created, approved, overtaken, half = closed
        await self.scene.note("3.2", lambda: self._approved_before_created(created, approved))
        await self.passage.open(created, approved)
        await self.scene.note("3.2", lambda: self._cancelled_before_approved(overtaken))
        await self.passage.open(overtaken)
        await self.scene.note("3.1", lambda: self._pending_still(half))
        await self.passage.open(half)
        await self.scene.note("3.4", lambda: self._orders_before_customer(name_of_late))
        await self.passage.open(name_of_late)
        await self.scene.note("3.5", self._owners_down)
        await self.scene.note("3.1", self._as_the_owners_hold_it)
        await self.scene.note("3.3", self._everything_twice)
        await self.scene.note("3.6", self._of_nobody)
        for fault in reversed(stopped):
            await trial.faults.heal(fault)

    # before the events pass

    async def _make_orders(self) -> None:
        trial = self.trial
        limits = [trial.amount("50.00", "99.99") for _ in range(5)]
        self.plain, self.early, self.twice, self.halfway, self.late = [await trial.customer(limit=limit) for limit in limits]
        self.unknown, self.never_named = trial.unknown_customer(), 2**61 + time.time_ns()
        totals = [trial.amount(f"{n}.00", f"{n}.99") for n in range(1, 8)]
        self.approved = await self._decided(self.early, totals[0])
        self.cancelled = await self._decided(self.early, totals[1], cancel=True)
        for customer in (self.plain, self.twice):
            await self._decided(customer, totals[2])
            await self._decided(customer, totals[3], cancel=True)
            await self._decided(customer, customer.limit)
        await self._decided(self.late, totals[4])
        await self._decided(self.unknown, totals[5])
        self.pending = await self._decided(self.halfway, totals[6])
        self._partitions = await trial.broker.partitions("order")
        own = [self.plain.id, self.early.id, self.twice.id, self.halfway.id, self.late.id, *self._orders()]
        for message in await trial.outboxes.about(own):
            if message.aggregate_id in own:
                self._messages[message.name, message.aggregate_id] = message.id
        await until("all events are published", self._unpublished, lambda waiting: not waiting)
        at, other = self._partition(self.cancelled), self._partition(self.approved)
        free = next(p for p in range(self._partitions) if p not in (at, other, self._partition(self.pending)))
        self._copy(("OrderApproved", self.approved.id), free)
        self._copy(("OrderCancelled", self.cancelled.id), free)
        for event, about in self._of_twice():
            self._copy((event, about))

    async def _decided(self, customer: Customer | int, total: Any, *, cancel: bool = False) -> Order:
        trial = self.trial
        order = await trial.order(customer, total)
        await self._becomes(order, trial.books.decide(order))
        if cancel:
            await trial.cancel(order)
            await self._becomes(order, trial.books.cancel(order))
        return order

    async def _becomes(self, order: Order, expected: OrderOutcome) -> None:
        """Wait for an outcome that this lab needs but does not judge. Labs 1 and 2 judge it, so another outcome raises NotJudged."""
        has_ended = f"order {order.id} has ended"
        found = await until(has_ended, lambda: self.trial.state(order), lambda seen: seen != PENDING, within_s=ENDED_S)
        if found != expected:
            sentence = f"Order {order.id} is {found}; it should be {expected}, and that has nothing to do with the view."
            raise NotJudged(sentence, next_step="labkit lab 2 check")

    async def _unpublished(self) -> int:
        """Return how many of the lab's messages the relay has not yet published. All must be published before MySQL is stopped."""
        return await self.trial.outboxes.unpublished(self._messages.values())

    def _orders(self) -> list[int]:
        return [row["order_id"] for row in self.trial.shop.requests if row["operation"] == "create_order"]

    def _partition(self, order: Order) -> int:
        return self.trial.broker.partition_of(order.id, self._partitions)

    def _of_twice(self) -> list[tuple[str, int]]:
        orders = [int(order_id) for order_id in self.trial.books.document(self.twice.id)["orders"]]
        of_orders = [("OrderCreated", orders[1]), ("OrderApproved", orders[1]), ("OrderCreated", orders[0]), ("OrderRejected", orders[2])]
        older = [("OrderApproved", orders[0]), ("CustomerCreated", self.twice.id), ("OrderCancelled", orders[1])]
        return [*of_orders, ("OrderCreated", orders[2]), *older]

    def _copy(self, of: tuple[str, int], partition: int | None = None) -> None:
        message_id = self._messages[of]
        self._copies[message_id] = faults.duplicate(self.trial.stack, message_id, partition=partition, who="order-history")

    def _gates(self) -> list[Wanted]:
        created, approved = self._messages["OrderCreated", self.approved.id], self._messages["OrderApproved", self.approved.id]
        return [
            faults.gate("order-history", message_id=self._messages["CustomerCreated", self.late.id]),
            faults.gate("order-history", message_id=created),
            faults.gate("order-history", message_id=approved, partition=self._partition(self.approved)),
            faults.gate("order-history", channel_name="order", key=str(self.cancelled.id), partition=self._partition(self.cancelled)),
            faults.gate("order-history", message_id=self._messages["OrderApproved", self.pending.id]),
        ]

    async def _nothing_yet(self, everything: Fault) -> None:
        """Require that the view shows nothing: it has not received any of the events."""

        async def past() -> bool:
            return (await self.trial.history(self.plain.id))[0] == 200

        await self.trial.faults.hit(everything, "held", past=past)
        for customer in (self.plain.id, self.early.id, self.unknown):
            status, document = await self.trial.history(customer)
            if status == 200:
                shown = len((document or {}).get("orders") or {})
                raise Failed(
                    f"The order history of customer {customer} shows {shown} orders, but the view has not taken a single event about them: "
                    "it is not built from events.",
                    expected="404 until the first event is taken",
                    found="200",
                    because=[Fact("every event is held before it reaches the view", f"the ledger, fault {everything.id}")],
                    so="the answer does not come from the view: it is read from the owners of the data.",
                    next_step=f"where does GET take its data from? see {CODE}/app.py and {CODE}/store.py",
                )

    # scenes

    async def _approved_before_created(self, created: Fault, approved: Fault) -> None:
        order = self.approved
        await self._plant(("OrderApproved", order.id))
        said = "after OrderApproved came and before OrderCreated did"
        await self._shows(order, APPROVED, said, "OrderApproved must create what is missing: the order, with its total.")
        await self.passage.hit(created)
        await self.trial.faults.heal(created)
        await self.passage.hit(approved)
        await self._shows(order, APPROVED, "after OrderApproved and then OrderCreated", "OrderCreated overwrote a newer state.")

    async def _cancelled_before_approved(self, overtaken: Fault) -> None:
        order, trial = self.cancelled, self.trial
        cancelled = OrderOutcome("CANCELLED")
        last = await trial.faults.apply(
            faults.gate("order-history", message_id=self._messages["OrderCancelled", order.id], partition=self._partition(order))
        )
        try:
            await self.passage.hit(overtaken)
            await self._plant(("OrderCancelled", order.id))
            said = "after OrderCancelled came and before the others did"
            await self._shows(order, cancelled, said, "OrderCancelled must create what is missing: the order, with its total.")
            await trial.faults.heal(overtaken)
            await self.passage.hit(last)
            await self._shows(order, cancelled, "after OrderCancelled and then OrderApproved", "OrderApproved overwrote a newer state.")
        finally:
            await trial.faults.heal(last)

    async def _pending_still(self, half: Fault) -> None:
        """Judge the view after OrderCreated of an order and before OrderApproved."""
        order = self.pending
        await self.passage.hit(half)
        state = {"orderId": order.id, "state": "PENDING", "orderTotal": {"amount": order.total}}
        expected = {"orders": {str(order.id): state}, "orderCount": 1, "totalApproved": {"amount": CENT * 0}}
        why = {"totalApproved": "an order counts when it is APPROVED, not before."}
        await self._is(self.halfway.id, expected, f"before OrderApproved of order {order.id} came", "which event writes this field?", why)

    async def _orders_before_customer(self, name_of_late: Fault) -> None:
        await self.passage.caught_up("order")
        expected = self.trial.books.document(self.late.id)
        without = {**expected, "name": None, "creditLimit": None}
        await self._is(self.late.id, without, "before CustomerCreated came", "an order's event must not need the customer's.")
        await self.passage.hit(name_of_late)
        await self.trial.faults.heal(name_of_late)
        await self.passage.caught_up()
        await self._is(self.late.id, expected, "after CustomerCreated came, later than the order", "CustomerCreated must fill in the name.")

    async def _as_the_owners_hold_it(self) -> None:
        await self.passage.caught_up()
        for customer in (self.plain.id, self.unknown, self.early.id):
            why = {"totalApproved": "a cancelled order no longer counts: which code subtracts its total?"}
            await self._is(customer, self.trial.books.document(customer), "after all its events", "which event writes this field?", why)

    async def _owners_down(self) -> None:
        await self.passage.caught_up()
        for customer in (self.plain.id, self.twice.id):
            try:
                status, document = await self.trial.history(customer)
            except Failed as failed:
                status, document = 0, failed.explanation.found
            if status != 200:
                detail = document.get("detail") if isinstance(document, dict) else None
                raise Failed(
                    f"With customers, orders and MySQL stopped, GET /customers/{customer}/orderhistory answers {status or document}"
                    f"{f': {detail}' if detail else ''}.",
                    expected="200: the view answers from its own store",
                    found=str(status or document),
                    so="the history route asks a component other than Redis.",
                    next_step=f"what does GET ask? see {CODE}/app.py; labkit logs order-history",
                )

    async def _everything_twice(self) -> None:
        await self.passage.caught_up()
        before = await self._document(self.twice.id, "before anything came twice")
        for event, about in self._of_twice():
            await self._plant((event, about))
            why = {
                "orderCount": "count what is there when it is read, or remember which event was counted.",
                "totalApproved": "add up what is there when it is read, or remember which event was added.",
            }
            await self._is(self.twice.id, before, f"after {event} of {about} came a second time", "a copy must change nothing.", why)

    async def _of_nobody(self) -> None:
        for often in ("", ", asked a second time"):
            status, document = await self.trial.history(self.never_named)
            if status != 404:
                answered = "answered with an empty document" if status == 200 else f"answered {status}"
                raise Failed(
                    f"GET /customers/{self.never_named}/orderhistory is {answered}{often}, and no event ever named that customer.",
                    expected="404",
                    found=str(status),
                    because=[Fact(f"it shows {document}"[:90], "the check's requests")] if status == 200 else [],
                    so="an empty document is not an answer about a customer that does not exist; reading must create nothing.",
                    next_step=f"what does GET answer when the view has no fields? see {CODE}/app.py",
                )

    # looking

    async def _shows(self, order: Order, outcome: OrderOutcome, when: str, so: str) -> None:
        document = await self._document(order.customer_id, when)
        shown = (document.get("orders") or {}).get(str(order.id))
        wanted = {"orderId": order.id, "state": outcome.state, "orderTotal": {"amount": order.total}}
        for field, expected, found in differences(wanted, shown):
            known = {"the document": "as nothing", "state": f"as {found}", "orderTotal.amount": f"with a total of {found}"}
            name = known.get(field, f"with {field} {found}")
            raise Failed(
                f"{when[0].upper()}{when[1:]}, the order history shows order {order.id} ({order.total:.2f}) {name}.",
                expected=f"{field} = {expected}",
                found=f"{field} = {found}",
                because=await self._parked(order.customer_id),
                so=so,
                next_step=f"which rule lets a state be written? see {CODE}/view.py and {CODE}/apply_event.lua",
            )
        self._adds_up(document, when)

    def _adds_up(self, document: dict[str, Any], when: str) -> None:
        """Require that the sum matches the orders in the same document, in whatever order the events came."""
        orders = [order for order in (document.get("orders") or {}).values() if isinstance(order, dict)]
        approved = [order["orderTotal"]["amount"] for order in orders if order.get("state") == "APPROVED"]
        wanted = {"amount": sum(approved, CENT * 0)}
        for field, expected, found in differences(wanted, document.get("totalApproved"), "totalApproved"):
            raise Failed(
                f"{when[0].upper()}{when[1:]}, the order history shows {field} = {found}, but its APPROVED orders add up to {expected}.",
                expected=f"{field} = {expected}",
                found=f"{field} = {found}",
                so="a stored sum must follow the orders: never subtract what was not added, and never add what is CANCELLED.",
                next_step=f"work it out when it is read, see {CODE}/document.py",
            )

    async def _is(self, customer: int, wanted: dict[str, Any], when: str, so: str, why: dict[str, str] | None = None) -> None:
        document = await self._document(customer, when)
        for field, expected, found in differences(wanted, {name: document.get(name) for name in wanted}):
            raise Failed(
                f"The order history of customer {customer} shows {field} = {found} {when}; it should be {expected}.",
                expected=f"{field} = {expected}",
                found=f"{field} = {found}",
                because=await self._parked(customer),
                so=(why or {}).get(field.partition(".")[0], so),
                next_step=f"see {CODE}/view.py, which says what each event means, and {CODE}/document.py, which makes the answer",
            )

    async def _document(self, customer: int, when: str) -> dict[str, Any]:
        status, document = await self.trial.history(customer)
        if status == 200 and isinstance(document, dict):
            return document
        detail = document.get("detail", "") if isinstance(document, dict) else ""
        raise Failed(
            f"{when[0].upper()}{when[1:]}, GET /customers/{customer}/orderhistory answers {status}{f': {detail}' if detail else ''}.",
            expected="200",
            found=str(status),
            because=await self._parked(customer),
            so="the view must answer with what it has." if status >= 500 else "the view holds nothing about a customer whose events came.",
            next_step="labkit logs order-history",
        )

    async def _plant(self, of: tuple[str, int]) -> None:
        await self.passage.plant(self._copies[self._messages[of]], f"{of[0]} of {of[1]}")

    async def _parked(self, customer: int) -> list[Fact]:
        """Return the messages about a customer that the view gave up, or else its most recent complaint."""
        orders = self.trial.books.document(customer)["orders"] if customer != self.never_named else {}
        own = {message: event for (event, about), message in self._messages.items() if str(about) in (*orders, str(customer))}
        given_up = [
            Fact(f"order-history gave up {own[letter.message_id]}: {letter.exception}", letter.place)
            for letter in await self.trial.given_up_by("order-history")
            if letter.message_id in own and letter.exception
        ]
        return given_up or await self.trial.attribution.complaint_of("order-history")
