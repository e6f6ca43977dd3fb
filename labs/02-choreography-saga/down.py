"""What lab 2 plays before it judges that nothing is lost: each way in which orders, customers, the relay and the database go away in the
middle of an order, and what waits meanwhile and is then taken at once."""

from dataclasses import replace

from labkit.checking import CENT, PENDING, Customer, Ends, Fact, Failed, Fault, Order, Trial, faults

ACKNOWLEDGED = "relay.after_publish_before_mark"


class Down:
    """`placed` is what must come to an end when all are up again, `about` the customers."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.placed: list[Order] = []
        self.about: set[int] = set()

    async def taken_back(self) -> None:
        """The database takes the reservation of an order back once, and its approval once."""
        trial, customer = self.trial, await self._customer()
        reserving = await trial.faults.apply(faults.before_commit("customers", "customer.reserve"))
        order = await trial.order(customer, customer.limit)  # all of it: what is remembered of the first try shows

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
            again = Fact("the database took the first try of customers back, before its COMMIT", f"the ledger, fault {reserving.id}")
            said = wrong.explanation
            so = f"{said.so} Of a transaction that was taken back nothing may be remembered.".lstrip()
            raise Failed.of(replace(said, because=(*said.because, again), so=so)) from None

    async def _approval_comes(self, order: Order) -> bool:
        """customers has answered that it reserved the credit; else there is no approval to be taken back."""
        await self.trial.outboxes.answered(order)
        return await self.trial.reserved(order)

    async def all_at_once(self) -> None:
        """orders, the relay and customers go down one after another, each with a message before it."""
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
        third = self._keep(await trial.order(customer, trial.amount("5.01", "6.99")))  # whose OrderCreated nobody can publish
        orders = await trial.faults.apply(faults.outage(stack, "stop", "orders"))
        await trial.faults.fired(orders)
        await trial.faults.heal(asked)
        for order in (second, *together, halfway):
            await trial.outboxes.answered(order)  # whose answer nobody can publish either
        customers = await trial.faults.apply(faults.outage(stack, "stop", "customers"))
        await trial.faults.fired(customers)
        await self._nothing_past_the_outbox(relay, before, [first, second, third])
        await trial.faults.heal(answered)
        for fault in (customers, orders, relay):
            await trial.faults.heal(fault)
        for order in self.placed:
            await trial.becomes(order, trial.books.decide(order))

    async def _behind(self, head: Order) -> list[Order]:
        """Two orders of one customer, of which only one fits, behind a message that is held: once it goes on, they are taken together."""
        trial = self.trial
        partitions = await trial.broker.partitions("order")
        others, customer, pair, last = await self._customer(), await self._customer(), list[Order](), head.id
        while len(pair) < 2:
            fits = trial.broker.partition_of(last + 1, partitions) == trial.broker.partition_of(head.id, partitions)
            if fits:
                order = await trial.order(customer, (customer.limit / 2).quantize(CENT) + CENT * (len(pair) + 1))
                pair.append(order)
            else:  # somebody else's takes the number that belongs to another partition
                order = await trial.order(others, CENT, alike=True)
            self._keep(order)
            if fits and order.id != last + 1:  # there was another order meanwhile: which of the two comes first is not known
                self.placed = [placed for placed in self.placed if placed.customer_id != customer.id]
                customer, pair = await self._customer(), []
            last = order.id
        await trial.outboxes.published(pair[-1], "OrderCreated")
        return pair

    async def _relay_ends_before_it_marks(self) -> tuple[Fault, Order]:
        """Kafka has acknowledged a message, and the relay ends before it marks its row; it stays down."""
        trial, customer = self.trial, await self._customer()
        ends = await trial.faults.apply(faults.crash("relay", ACKNOWLEDGED, event_type="OrderCreated"))
        order = self._keep(await trial.order(customer, customer.limit))
        await trial.faults.fired(ends)
        for message in await trial.outboxes.about_order(order, "OrderCreated"):
            if message.is_published:
                raise Failed(
                    f"OrderCreated of order {order.id} ({order.total:.2f}) was marked as published before the relay came to mark it: "
                    "it marks first, and publishes then.",
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
        """Whoever might have published has ended, and what it had in hand with it."""
        for record in await self.trial.broker.since(before):
            if record.order_id in [order.id for order in orders]:
                raise Failed(
                    f"Kafka holds {record.event} of order {record.order_id}, and the relay did not run: it was published past the outbox.",
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
