"""Lab 2: the saga matches saga.yml, every order ends, cancelling returns the credit, and nothing is lost while a component is down."""

import asyncio
from contextlib import suppress
from decimal import Decimal
from functools import partial
from pathlib import Path

from labkit.checking import (
    APPROVED,
    CANCELLED,
    CENT,
    INSUFFICIENT_CREDIT,
    PENDING,
    UNKNOWN_CUSTOMER,
    Fact,
    Failed,
    NotJudged,
    Order,
    OrderOutcome,
    Trial,
    beside,
    check,
    faults,
    rows,
    short_history,
)
from labkit.checking.invariants import I1, I2, I3, I4, I5, I6, I7, I8, I10, I11, I12

saga, down = beside(__file__, "saga"), beside(__file__, "down")
ORDERS = 20


@check("2.1", "Your saga.yml shows what really happens", alone=True)
async def saga_yml(trial: Trial) -> None:
    solution = Path(__file__).parent / "solution" / "saga.yml"
    said = saga.read(trial.folder / "saga.yml" if trial.folder else solution)
    async with (
        trial.faults.during(faults.switch("customers", "batch", "1")),
        trial.faults.during(faults.switch("orders", "batch", "1")),
    ):
        customer = await trial.customer()
        approved = await trial.order(customer, customer.limit)
        await trial.ended(approved)
        refused = await trial.order(customer, customer.limit + CENT)
        await trial.ended(refused)
        of_nobody = await trial.order(trial.unknown_customer(), trial.amount("0.01", "9.99"))
        await trial.ended(of_nobody)
        await trial.cancel(approved)
        await trial.released(approved)
    evidence = await trial.require(I4, about=[customer.id, of_nobody.customer_id])
    orders = [order.id for order in (approved, refused, of_nobody)]
    saga.compare(said, saga.observed(evidence, orders), saga.read(solution), partial(saga.asked, evidence, orders))


@check("2.2", "An unknown customer's order is rejected, once")
async def unknown_customer(trial: Trial) -> None:
    order = await trial.order(trial.unknown_customer(), trial.amount("0.01", "99.99"))
    await trial.becomes(order, trial.books.decide(order))
    if not await trial.outboxes.about_order(order, "OrderRejected"):
        raise _told_not_once(order, 0)
    evidence = await trial.require(I3, I11, I2, I6, I8, I4, about=[order.customer_id])
    told = evidence.rows("SELECT DISTINCT message_id FROM records WHERE event = 'OrderRejected' AND order_id = ?", order.id)
    if len(told) != 1:
        raise _told_not_once(order, len(told))


def _told_not_once(order: Order, times: int) -> Failed:
    return Failed(
        f"Order {order.id} ({order.total}) of the unknown customer {order.customer_id} is REJECTED, but "
        f"{f'OrderRejected was published {times} times' if times else 'OrderRejected was not published'}.",
        expected="exactly one OrderRejected",
        found=str(times),
        next_step=f"labkit trace order {order.id}",
    )


@check("2.3", "Cancelling an order frees its credit", alone=True)
async def cancelling_frees_credit(trial: Trial) -> None:
    customer = await trial.customer()
    on_its_way = await trial.faults.apply(faults.gate("orders", event_type="CustomerCreditReserved", key=str(customer.id)))
    order = await trial.order(customer, (customer.limit / 2).quantize(CENT) + CENT)
    await trial.held(on_its_way, order)
    await _refuses_to_cancel(trial, order, PENDING)
    await trial.faults.heal(on_its_way)
    await trial.becomes(order, trial.books.decide(order))
    refused = await trial.order(customer, customer.limit + CENT)
    await trial.becomes(refused, trial.books.decide(refused))
    await _refuses_to_cancel(trial, refused, INSUFFICIENT_CREDIT)
    await _cancel(trial, order)
    several = await trial.customer()
    one = trial.amount("1.00", "3.00")
    totals = [one, one, one, one + trial.amount("0.01", "3.00")]  # three alike: only the order's id tells which reservation to release
    orders = [await trial.order(several, total, alike=True) for total in totals]
    for each in orders:
        await trial.becomes(each, trial.books.decide(each))
    await _cancel(trial, orders[1])
    await _hears_again(
        trial,
        (order, "CustomerCreditReserved"),
        (refused, "CustomerCreditReserved"),
        (orders[0], "CustomerCreditReserved"),
        (orders[2], "CustomerCreditReservationFailed"),
    )
    await trial.require(I8, I2, I6, I12, about=[customer.id, several.id])
    again = await trial.order(customer, customer.limit)  # the entire limit: every cent must be free
    assert trial.books.decide(again) == APPROVED
    await trial.becomes(again, APPROVED)


async def _cancel(trial: Trial, order: Order) -> None:
    if await trial.cancel(order) != "ok":
        wrong = Failed(
            f"Order {order.id} is APPROVED, but cancelling it was refused.",
            expected="200",
            found=str(trial.shop.request("cancel_order", order_id=order.id)["status"]),
            next_step="labkit logs orders",
        )
        await trial.fail_with_cause(wrong, about=[order.customer_id])
    await trial.becomes(order, trial.books.cancel(order))


async def _refuses_to_cancel(trial: Trial, order: Order, state: OrderOutcome) -> None:
    if await trial.cancel(order) == "ok":
        status = trial.shop.request("cancel_order", order_id=order.id)["status"]
        raise Failed(
            f"Order {order.id} ({order.total:.2f}) was {state}, but cancelling it was accepted.",
            expected="409: only an APPROVED order can be cancelled",
            found=f"{status}, but the order is {await trial.state(order)}",
            so="orders cancels without checking the order's state: only an APPROVED order has a reservation to give back.",
            next_step="which states may be cancelled? see Order.cancelled in services/orders/domain.py",
        )


async def _hears_again(trial: Trial, *news: tuple[Order, str]) -> None:
    """Send a second answer, as a separate message, about an order that has ended: orders must check the order as well as the message."""
    answers = [(answer.id, event) for order, event in news for answer in (await trial.outboxes.answers(order))[-1:]]
    await trial.faults.apply(await asyncio.to_thread(faults.said_again, trial.stack, answers))


@check("2.4", "Nothing is lost while orders, customers and the relay are down", alone=True)
async def nothing_is_lost(trial: Trial) -> None:
    play = down.Down(trial)
    await play.taken_back()
    await play.interrupted()
    await play.all_at_once()
    await trial.require(I3, I2, I6, I4, I1, I11, about=play.about)


@check("2.5", "No service can read the other's tables")
async def database_per_service(trial: Trial) -> None:
    owners = [service for service in trial.stack.profile.services if service.account and service.schema]
    for service in owners:
        for schema in (owner.schema for owner in owners):
            await _may_read(trial, service.name, service.account, schema, may=schema == service.schema)


async def _may_read(trial: Trial, service: str, account: str, schema: str, *, may: bool) -> None:
    refused = await asyncio.to_thread(rows.refusal, trial.stack, account, schema)
    if may and refused is not None:
        raise Failed(
            f"The account of {service} cannot read its own schema {schema}: {refused.text}.",
            expected="SELECT is granted",
            found=refused.text,
            next_step="labkit up creates the accounts again",
        )
    if not may and (refused is None or not refused.is_denial):
        grants = await asyncio.to_thread(rows.grants, trial.stack, account)
        wide = [grant for grant in grants if f"`{schema}`" in grant or "ON *.*" in grant.replace("GRANT USAGE ON *.*", "")]
        raise Failed(
            f"The account of {service}, {account}, can SELECT from {schema}: database per service is broken.",
            expected=f"{account} is refused there",
            found="it was not",
            because=[Fact(grant, f"SHOW GRANTS FOR {account}") for grant in wide],
            next_step=f"revoke it as the administrator: REVOKE ALL PRIVILEGES ON {schema}.* FROM '{account}'@'%'",
        )


@check("2.6", f"{ORDERS} mixed orders end consistent", alone=True)
async def mixed_orders(trial: Trial) -> None:
    """Let customers receive all orders at once, so that mistakes in concurrent handling show every time."""
    customers = [await trial.customer(limit=trial.amount("20.00", "30.00")) for _ in range(4)]
    wanted: list[tuple[int, Decimal]] = []
    for number, customer in enumerate(customers):
        low = (customer.limit / 2).quantize(CENT)
        wanted += [(customer.id, low + trial.amount("0.01", "3.00")), (customer.id, low + trial.amount("3.01", "6.00"))]  # only one fits
        wanted += [(customer.id, trial.amount(f"0.{number}1", f"0.{number}9")), (customer.id, customer.limit + CENT)]
    nobody = trial.unknown_customer()
    while len(wanted) < ORDERS:
        wanted.append((nobody, Decimal(len(wanted)) + CENT))
    trial.dice.random.shuffle(wanted)
    gate = await trial.faults.apply(faults.gate("customers", event_type="OrderCreated"))
    placed = await asyncio.gather(*(trial.order(customer, total) for customer, total in wanted))
    with suppress(NotJudged):  # a missing message is judged at the end
        await trial.outboxes.published(max(placed, key=lambda order: order.id), "OrderCreated")
    await trial.faults.heal(gate)
    ends = await trial.ended(*placed)  # do not cancel while an order is being decided: that would change the credit
    approved: list[Order] = [order for order, end in zip(placed, ends, strict=True) if end == APPROVED]
    for order in approved[::2]:
        await trial.cancel(order)
    about = [*(customer.id for customer in customers), nobody]
    evidence = await trial.require(
        I3,
        I2,
        I1,
        I11,
        I8,
        I6,
        I4,
        I5,
        I10,
        I12,
        I7,
        about=about,
    )
    states = {order_id: (state, reason) for order_id, state, reason in evidence.rows("SELECT id, state, rejection_reason FROM orders")}
    for order in placed:
        state, reason = states[order.id]
        limit = next((customer.limit for customer in customers if customer.id == order.customer_id), None)
        allowed = (
            [UNKNOWN_CUSTOMER]
            if limit is None
            else [INSUFFICIENT_CREDIT]
            if order.total > limit
            else [APPROVED, CANCELLED, INSUFFICIENT_CREDIT]
        )
        if (state, reason) not in [(outcome.state, outcome.reason) for outcome in allowed]:
            raise Failed(
                f"Order {order.id} ({order.total}) of customer {order.customer_id} is {state} {reason or ''}".rstrip() + ".",
                expected=" or ".join(map(str, allowed)),
                found=f"{state} {reason or ''}".rstrip(),
                next_step=f"labkit trace order {order.id}",
            )


@check("2.7", "Whatever customers do, the rules hold")
async def whatever_they_do(trial: Trial) -> None:
    await short_history(trial)


def prepare(trial: Trial) -> Trial:
    """Return the argument of this lab's checks."""
    return trial
