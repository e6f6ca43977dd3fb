"""Lab 1: the stack is up, the saga has its three outcomes, the stores agree, the view follows, and no participant waits for another."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from labkit.checking import (
    APPROVED,
    CENT,
    INSUFFICIENT_CREDIT,
    PENDING,
    UNKNOWN_CUSTOMER,
    Customer,
    Fact,
    Failed,
    NotJudged,
    Order,
    Trial,
    answer_of,
    check,
    differences,
    faults,
    not_ready,
    short_history,
    shown,
    takes_no_messages,
)
from labkit.checking.invariants import I1, I2, I3, I4, I5, I6, I7, I8, I10, I11, I12

CLOCK = timedelta(days=1)  # clocks of two machines may differ this much; a wrong unit, or another event's time, is further off


class Orders:
    """Orders around the available credit. Each group is made when a check first asks for it."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.about: set[int] = set()

    async def all_of_it(self) -> list[Order]:
        """Two consecutive orders whose sum is exactly what the customer may spend."""
        return await self._once(self._all_of_it)

    async def a_cent_too_much(self) -> list[Order]:
        """Orders that fit, two of them alike, and two that do not: a cent more than what is left, and a cent more than the limit."""
        return await self._once(self._a_cent_too_much)

    async def of_nobody(self) -> list[Order]:
        """An order from an unknown customer."""
        return await self._once(self._of_nobody)

    async def every_one(self) -> bool:
        """Make all orders. Return True if each ended as expected."""
        as_it_should_be = True
        wanted = (self._all_of_it, self._a_cent_too_much, self._of_nobody)
        for made in [self.trial.begin_once(make.__name__, make) for make in wanted]:
            try:
                await self.trial.meeting.join(made)
            except Failed:
                as_it_should_be = False
        return as_it_should_be

    async def _once(self, make: Callable[[], Coroutine[Any, Any, list[Order]]]) -> list[Order]:
        return await self.trial.once(make.__name__, make)

    async def _all_of_it(self) -> list[Order]:
        customer = await self.trial.customer()
        more_than_half = (customer.limit / 2).quantize(CENT) + self.trial.amount("0.01", "3.00")
        return [
            await self._decided(customer, more_than_half),
            await self._decided(customer, self.trial.books.available(customer)),
        ]

    async def _a_cent_too_much(self) -> list[Order]:
        trial, customer = self.trial, await self.trial.customer()
        one = trial.amount("1.00", "3.00")
        fitting = [one, one, one + trial.amount("0.01", "3.00")]  # code that omits one, or counts equal ones once, counts too little
        return [
            *[await self._decided(customer, total) for total in fitting],
            await self._decided(customer, trial.books.available(customer) + CENT),
            await self._decided(customer, customer.limit + CENT),
        ]

    async def _of_nobody(self) -> list[Order]:
        return [await self._decided(self.trial.unknown_customer(), self.trial.amount("0.01", "14.00"))]

    async def _decided(self, customer: Customer | int, total: Decimal) -> Order:
        """Place an order and wait until it is decided, so that the next order meets the remaining credit."""
        order = await self.trial.order(customer, total, alike=True)
        self.about.add(order.customer_id)
        await self.trial.becomes(order, self.trial.books.decide(order))
        return order


@check("1.1", "Every component is up and ready", gate=True)
async def everything_is_up(lab: Orders) -> None:
    for name, state, how_it_ended in await not_ready(lab.trial.stack):
        if name in lab.trial.stack.servers:
            raise NotJudged(f"{name} is {state}{f': it {how_it_ended}' if how_it_ended else ''}.", next_step="labkit up")
        raise Failed(
            f"{name} is not running: it {how_it_ended}." if how_it_ended else f"{name} is {state}.",
            expected="running and ready",
            found=how_it_ended or state,
            next_step="labkit up" if how_it_ended else f"labkit logs {name}",
        )
    for channel in ("order", "customer"):
        for name in await takes_no_messages(lab.trial, channel):
            raise Failed(
                f"{name} says that it is ready, but it takes no messages of the {channel} channel.",
                expected="it takes a message that is published now",
                found="it did not",
                because=[Fact(f"{name} answers its health with UP", f"GET {lab.trial.stack.url(name)}/health")],
                so="its health reports something other than its work.",
                next_step=f"labkit logs {name}",
            )


@check("1.2", "An order within the credit limit is approved")
async def within_the_limit(lab: Orders) -> None:
    orders = await lab.all_of_it()
    assert [lab.trial.books.outcome(order) for order in orders] == [APPROVED, APPROVED]


@check("1.3", "An order beyond the credit limit is rejected, with the reason")
async def beyond_the_limit(lab: Orders) -> None:
    *within, short, over = await lab.a_cent_too_much()
    beyond = [short, over]
    assert {lab.trial.books.outcome(order) for order in within} == {APPROVED}
    assert {lab.trial.books.outcome(order) for order in beyond} == {INSUFFICIENT_CREDIT}


@check("1.4", "An order of an unknown customer is rejected, with the reason")
async def of_an_unknown_customer(lab: Orders) -> None:
    (order,) = await lab.of_nobody()
    assert lab.trial.books.outcome(order) == UNKNOWN_CUSTOMER


@check("1.5", "Orders, reservations and messages agree")
async def stores_agree(lab: Orders) -> None:
    await lab.every_one()
    await lab.trial.require(
        I3,
        I2,
        I1,
        I11,
        I8,
        I4,
        I5,
        I6,
        I10,
        I12,
        about=lab.about,
    )


@check("1.6", "The order history shows what the services hold")
async def view_follows(lab: Orders) -> None:
    trial = lab.trial
    as_it_should_be = await lab.every_one()
    await trial.require(I7, about=lab.about)
    for customer_id in sorted(lab.about) if as_it_should_be else ():
        status, document = await trial.history(customer_id)
        expected = trial.books.document(customer_id)
        if status != 200:
            raise Failed(
                f"The order history of customer {customer_id} is in Redis, but GET answers {status}.",
                expected="200",
                found=str(status),
                next_step="labkit logs order-history",
            )
        shown = {name: document.get(name) for name in expected}
        for field, wanted, found in differences(expected, shown):
            raise Failed(
                f"The order history of customer {customer_id} has a wrong {field}.",
                expected=f"{field} = {wanted}",
                found=f"{field} = {found}",
                next_step="which event writes this field? see services/order_history/view.py",
            )


@check("1.7", "An order is taken while customers is down, and continues when it is back", alone=True)
async def nobody_waits(lab: Orders) -> None:
    trial = lab.trial
    customer = await trial.customer()
    async with trial.faults.during(faults.outage(trial.stack, "stop", "customers")) as stopped:
        await trial.faults.fired(stopped)
        order = await trial.order(customer, customer.limit)
        seen = await trial.state(order)
        if seen != PENDING:
            raise Failed(
                f"Order {order.id} ({order.total:.2f}) is {seen}, and customers, which alone knows its credit, is not running.",
                expected="PENDING until customers has answered",
                found=str(seen),
                so="orders decided about the credit by itself.",
                next_step=f"labkit trace order {order.id}",
            )
    down, up = trial.faults.downtime(stopped)
    await trial.becomes(order, trial.books.decide(order))
    evidence = await trial.require(I3, I2, I11, I6, about=[customer.id])
    steps = evidence.rows(
        "SELECT c.after_state, t.binlog_file, t.position FROM order_commits c JOIN transactions t USING (commit_no) "
        "WHERE c.id = ? AND c.after_state IS DISTINCT FROM c.before_state ORDER BY c.commit_no",
        order.id,
    )
    if down is None or up is None:
        raise NotJudged("It is unknown where customers was stopped and started in the binlog.", next_step="labkit lab 1 check 1.7")
    begin, end = (down["file"], down["position"]), (up["file"], up["position"])
    born, *later = [(state, (file, position)) for state, file, position in steps]
    for state, at in later:
        if at <= end:
            raise Failed(
                f"Order {order.id} became {state} while customers was not running.",
                expected=f"after {end[0]}:{end[1]}, where customers was started",
                found=f"{at[0]}:{at[1]}",
                next_step=f"labkit trace order {order.id}",
            )
    assert begin < born[1] <= end, "the order was stored while customers was down"


@check("1.8", "An order shows when it was taken")
async def creation_time(lab: Orders) -> None:
    trial = lab.trial
    order = await trial.order(trial.unknown_customer(), trial.amount("0.01", "9.99"))
    row = trial.shop.request("create_order", order_id=order.id)
    created = _time(answer_of(row["answer"]), f"POST /orders of order {order.id}", "CreatedOrder")
    if not row["started"].replace(tzinfo=UTC) - CLOCK <= created <= row["ended"].replace(tzinfo=UTC) + CLOCK:
        raise Failed(
            f"POST /orders says that order {order.id} was taken at {created:%Y-%m-%d %H:%M:%S} UTC, but it was not.",
            expected=f"about {row['started']:%Y-%m-%d %H:%M:%S} UTC",
            found=created.isoformat(),
            next_step="which clock does creationTime come from? see insert_order in services/orders/store.py",
        )
    await trial.becomes(order, UNKNOWN_CUSTOMER)
    _, answer = await trial.get(f"/orders/{order.id}")
    again = _time(answer, f"GET /orders/{order.id}", "GetOrder")
    if again != created:
        raise Failed(
            f"POST says that order {order.id} was taken at {created.isoformat()}, but GET says something else.",
            expected=created.isoformat(),
            found=again.isoformat(),
            next_step="is it read from the order's row, or made up for each answer?",
        )


def _time(answer: Any, who: str, struct: str) -> datetime:
    text = answer.get("creationTime") if isinstance(answer, dict) else None
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
        found = found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):  # not a time, or before year 1
        found = None
    if found is None:
        post_has_it = "" if who.startswith("POST") or text is not None else " POST has it."
        raise Failed(
            f"{who} has no creationTime.{post_has_it}" if text is None else f"The creationTime of {who} is not a time: {shown(text)}.",
            expected="an ISO 8601 time with its zone, such as 2026-05-04T09:30:00.125Z",
            found="nothing" if text is None else shown(text),
            next_step=f"the answer is {struct} in services/orders/app.py; the order's row has the time: Order.created",
        )
    return found


@check("1.9", "Whatever customers do, the rules hold")
async def whatever_they_do(lab: Orders) -> None:
    await short_history(lab.trial)


def prepare(trial: Trial) -> Orders:
    """Return the argument of this lab's checks."""
    return Orders(trial)
