"""The outages that lab 2 plays before it judges that nothing is lost: orders, customers, the relay and the database each fail in the
middle of an order. Messages that wait in the meantime are then taken all at once."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from labkit.checking import CENT, PENDING, Customer, Ends, Fact, Failed, Fault, Order, Trial, faults

ANSWERS = ("CustomerCreditReserved", "CustomerCreditReservationFailed")
SOON_S = 2.0  # how long an answer is waited for before the stores are asked why it does not come
ACKNOWLEDGED = "relay.after_publish_before_mark"


class Down:
    """`placed` are the orders that must end once everything is up again; `about` are their customers' ids."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.placed: list[Order] = []
        self.about: set[int] = set()
        self.interruptions: dict[int, str] = {}

    async def taken_back(self) -> None:
        """Let the database roll back the reservation of an order once, and its approval once."""
        trial, customer = self.trial, await self._customer()
        reserving = await trial.faults.apply(faults.before_commit("customers", "customer.reserve"))
        order = await trial.order(customer, customer.limit)  # the entire limit, so that any memory of the first try shows

        async def decided() -> bool:
            return await trial.state(order) != PENDING

        approving = await trial.faults.apply(faults.before_commit("orders", "order.approve"))
        await faults.roll_back(trial, reserving, past=decided)
        if await self._approval_comes(order):
            await faults.roll_back(trial, approving, past=decided)
        else:
            await trial.faults.heal(approving)
        try:
            await trial.becomes(order, trial.books.decide(order))
        except Failed as wrong:
            again = Fact("the database rolled back the first try of customers, before its COMMIT", f"the ledger, fault {reserving.id}")
            said = wrong.explanation
            so = f"{said.so} Nothing of a rolled-back transaction may be remembered.".lstrip()
            raise Failed.of(replace(said, because=(*said.because, again), so=so)) from None

    async def _approval_comes(self, order: Order) -> bool:
        """Wait for the answer of customers. Return whether it reserved the credit; if not, no approval can be rolled back."""
        await self.trial.outboxes.answered(order)
        return await self.trial.reserved(order)

    async def interrupted(self) -> None:
        """Interrupt the statement with which each handler reads its customer or order. The handler must not go on as if nothing had
        happened."""
        trial, customer = self.trial, await self._customer()
        gates = {event: await trial.faults.apply(faults.gate("orders", event_type=event, key=str(customer.id))) for event in ANSWERS}
        async with faults.held_row(trial, "customer", customer.id) as row:
            fits = await trial.order(customer, customer.limit)
            await self._interrupt(row, "customers", fits, lambda: self._is_answered(fits))
        await trial.outboxes.answered(fits, within_s=SOON_S)
        if not await self._is_answered(fits):
            for gate in gates.values():
                await trial.faults.heal(gate)
            await self._decided_all_the_same(fits)
            return
        does_not_fit = await trial.order(customer, CENT)
        for order, gate in zip((fits, does_not_fit), gates.values(), strict=True):
            await trial.held(gate, order)
            async with faults.held_row(trial, "order", order.id) as row:
                await trial.faults.heal(gate)
                await self._interrupt(row, "orders", order, partial(self._is_decided, order))
            await self._decided_all_the_same(order)

    async def _is_answered(self, order: Order) -> bool:
        return bool(await self.trial.outboxes.answers(order))

    async def _is_decided(self, order: Order) -> bool:
        return await self.trial.state(order) != PENDING

    async def _interrupt(self, row: faults.HeldRow, component: str, order: Order, past: Callable[[], Awaitable[bool]]) -> None:
        if await row.interrupt(component, past=past):
            self.interruptions[order.id] = component

    async def _decided_all_the_same(self, order: Order) -> None:
        try:
            await self.trial.becomes(order, self.trial.books.decide(order))
        except Failed as wrong:
            who = self.interruptions.get(order.id)
            if who is None:
                raise
            fact = Fact(f"MySQL interrupted the statement with which {who} read the row of order {order.id}", "KILL QUERY")
            so = f"{wrong.explanation.so} A handler that catches the error lets a transaction commit whose work was not done.".lstrip()
            raise Failed.of(replace(wrong.explanation, because=(*wrong.explanation.because, fact), so=so)) from None

    async def all_at_once(self) -> None:
        """Stop the relay, orders and customers one after another, each with a message waiting before it."""
        trial, stack = self.trial, self.trial.stack
        customer = await self._customer()
        answered = await trial.faults.apply(faults.gate("orders", event_type="CustomerCreditReserved", key=str(customer.id)))
        first = self._keep(await trial.order(customer, trial.amount("1.00", "3.00")))
        await trial.held(answered, first)
        asked = await trial.faults.apply(faults.gate("customers", event_type="OrderCreated"))
        second = self._keep(await trial.order(customer, trial.amount("3.01", "5.00")))
        await trial.held(asked, second)
        together = await self._behind(second)

        relay, halfway = await self._relay_ends_before_it_marks()
        before = await trial.broker.ends()
        third = self._keep(await trial.order(customer, trial.amount("5.01", "6.99")))  # nothing can publish its OrderCreated
        orders = await trial.faults.apply(faults.outage(stack, "stop", "orders"))
        await trial.faults.fired(orders)
        await trial.faults.heal(asked)
        for order in (second, *together, halfway):
            await trial.outboxes.answered(order)  # nothing can publish its answer either
        customers = await trial.faults.apply(faults.outage(stack, "stop", "customers"))
        await trial.faults.fired(customers)
        await self._nothing_past_the_outbox(relay, before, [first, second, third])
        await trial.faults.heal(answered)
        for fault in (customers, orders, relay):
            await trial.faults.heal(fault)
        for order in self.placed:
            await trial.becomes(order, trial.books.decide(order))

    async def _behind(self, head: Order) -> list[Order]:
        """Place two orders of one customer, of which only one fits, behind a held message, so that they are taken together once it is
        released."""
        trial = self.trial
        partitions = await trial.broker.partitions("order")
        others, customer, pair, last = await self._customer(), await self._customer(), list[Order](), head.id
        while len(pair) < 2:
            fits = trial.broker.partition_of(last + 1, partitions) == trial.broker.partition_of(head.id, partitions)
            if fits:
                order = await trial.order(customer, (customer.limit / 2).quantize(CENT) + CENT * (len(pair) + 1))
                pair.append(order)
            else:  # let another customer use up the order number of another partition
                order = await trial.order(others, CENT, alike=True)
            self._keep(order)
            if fits and order.id != last + 1:  # another order came in between, so it is unknown which of the two comes first
                self.placed = [placed for placed in self.placed if placed.customer_id != customer.id]
                customer, pair = await self._customer(), []
            last = order.id
        await trial.outboxes.published(pair[-1], "OrderCreated")
        return pair

    async def _relay_ends_before_it_marks(self) -> tuple[Fault, Order]:
        """Stop the relay after Kafka has acknowledged a message and before the relay marks its row. It stays down."""
        trial, customer = self.trial, await self._customer()
        ends = await trial.faults.apply(faults.crash("relay", ACKNOWLEDGED, event_type="OrderCreated"))
        order = self._keep(await trial.order(customer, customer.limit))
        await trial.faults.fired(ends)
        for message in await trial.outboxes.about_order(order, "OrderCreated"):
            if message.is_published:
                raise Failed(
                    f"OrderCreated of order {order.id} ({order.total:.2f}) was marked as published too early: "
                    "the relay marks first, and publishes afterwards.",
                    expected="not marked: the relay ended when Kafka had acknowledged the message, before it could mark its row",
                    found="the row is marked",
                    because=[
                        Fact(f"the relay ended at {ACKNOWLEDGED}", f"the ledger, fault {ends.id}"),
                        Fact("the row is marked as published", message.place),
                    ],
                    so="a crash between the mark and Kafka's acknowledgement loses the event: what is marked is never published again.",
                    next_step=f"labkit trace message {message.id}",
                )
        return ends, order

    async def _nothing_past_the_outbox(self, relay: Fault, before: Ends, orders: list[Order]) -> None:
        """Require that no record of these orders is in Kafka. The relay is down, so such a record bypassed the outbox."""
        for record in await self.trial.broker.since(before):
            if record.order_id in [order.id for order in orders]:
                raise Failed(
                    f"Kafka holds {record.event} of order {record.order_id}, but the relay was down: the record bypassed the outbox.",
                    expected="no record while the relay is down",
                    found=record.place,
                    because=[Fact("the relay was down before the order was placed", f"the ledger, fault {relay.id}")],
                    so="a service publishes by itself what it also writes into its outbox: a crash between the two loses or invents "
                    "an event.",
                    next_step=f"labkit trace order {record.order_id}",
                )

    async def _customer(self) -> Customer:
        customer = await self.trial.customer()
        self.about.add(customer.id)
        return customer

    def _keep(self, order: Order) -> Order:
        self.placed.append(order)
        return order
