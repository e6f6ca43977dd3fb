"""Lab 2: the saga is what saga.yml says, it ends for everybody, cancelling gives back, and nothing is lost while somebody is down."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pymysql

from labkit.faults import make
from labkit.invariants.catalog import I1, I2, I3, I4, I5, I6, I7, I8, I10, I11, I12
from labkit.invariants.witness import Fact
from labkit.lab import records
from labkit.lab.check import Failed, NotJudged, check
from labkit.lab.content import beside
from labkit.lab.documents import CENT
from labkit.lab.rules import APPROVED, CANCELLED, INSUFFICIENT_CREDIT, UNKNOWN_CUSTOMER
from labkit.lab.trial import Order, Trial

saga = beside(__file__, "saga")
ORDERS = 20
ACCOUNTS = {"customer_service": ("customers", "customer_db", "order_db"), "order_service": ("orders", "order_db", "customer_db")}
DENIED = (1044, 1045, 1142)


@check("2.1", "Your saga.yml tells what really happens", alone=True)
async def saga_yml(trial: Trial) -> None:
    said = saga.read(trial.folder / "saga.yml" if trial.folder else Path(__file__).parent / "solution" / "saga.yml")
    async with (
        trial.while_there(make.switch("customers", "batch", "1")),
        trial.while_there(make.switch("orders", "batch", "1")),
    ):
        customer = await trial.customer()
        approved = await trial.order(customer, customer.limit)
        await trial.ended(approved)
        refused = await trial.order(customer, customer.limit + CENT)
        await trial.ended(refused)
        of_nobody = await trial.order(trial.nobody(), trial.amount("0.01", "9.99"))
        await trial.ended(of_nobody)
        await trial.cancel(approved)
        await trial.released(approved)
    evidence = await trial.require(I4, about=[customer.id, of_nobody.customer_id])
    saga.compare(said, saga.observed(evidence, [order.id for order in (approved, refused, of_nobody)]))


@check("2.2", "An unknown customer's order is rejected, once")
async def unknown_customer(trial: Trial) -> None:
    order = await trial.order(trial.nobody(), trial.amount("0.01", "99.99"))
    await trial.becomes(order, trial.books.decide(order))
    evidence = await trial.require(I3, I11, I2, I6, I8, I4, about=[order.customer_id])
    told = evidence.rows("SELECT DISTINCT message_id FROM records WHERE event = 'OrderRejected' AND order_id = ?", order.id)
    if len(told) != 1:
        raise Failed(
            f"Order {order.id} ({order.total}) of customer {order.customer_id}, whom nobody knows, is REJECTED, and "
            f"{'nobody was told' if not told else f'OrderRejected was published {len(told)} times'}.",
            expected="exactly one OrderRejected",
            found=str(len(told)),
            next_step=f"labkit trace order {order.id}",
        )


@check("2.3", "Cancelling an order frees its credit")
async def cancelling_frees_credit(trial: Trial) -> None:
    customer = await trial.customer()
    order = await trial.order(customer, (customer.limit / 2).quantize(CENT) + CENT)
    await trial.becomes(order, trial.books.decide(order))
    if await trial.cancel(order) != "ok":
        wrong = Failed(
            f"Order {order.id} is APPROVED, and cancelling it was refused.",
            expected="200",
            found=str(trial.request("cancel_order", order_id=order.id)["status"]),
            next_step="labkit logs orders",
        )
        await trial.explained(wrong, about=[customer.id])
    await trial.becomes(order, trial.books.cancel(order))
    await trial.require(I2, I8, I6, about=[customer.id])
    again = await trial.order(customer, customer.limit)  # all of it: every cent must be free
    assert trial.books.decide(again) == APPROVED
    await trial.becomes(again, APPROVED)


@check("2.4", "Nothing is lost while orders, customers and the relay are down", alone=True)
async def nothing_is_lost(trial: Trial) -> None:
    stack = trial.stack
    customer = await trial.customer()
    answered = await trial.fault(make.gate("orders", event_type="CustomerCreditReserved", key=str(customer.id)))
    first = await trial.order(customer, trial.amount("1.00", "3.00"))
    await trial.held(answered, first)
    asked = await trial.fault(make.gate("customers", event_type="OrderCreated"))
    second = await trial.order(customer, trial.amount("3.01", "5.00"))
    await trial.held(asked, second)

    relay = await trial.fault(make.outage(stack, "stop", "relay"))
    await trial.fired(relay)
    before = await asyncio.to_thread(records.ends, stack)
    third = await trial.order(customer, trial.amount("5.01", "6.99"))  # whose OrderCreated nobody can publish
    orders = await trial.fault(make.outage(stack, "stop", "orders"))
    await trial.fired(orders)
    await trial.heal(asked)
    await trial.answered(second)  # whose answer nobody can publish either
    customers = await trial.fault(make.outage(stack, "stop", "customers"))
    await trial.fired(customers)
    # whoever might have published has ended, and what it had in hand with it
    for told in await asyncio.to_thread(records.since, stack, before):
        if told.order_id in (first.id, second.id, third.id):
            raise Failed(
                f"Kafka holds {told.event} of order {told.order_id}, and the relay did not run: it was published past the outbox.",
                expected="no record while the relay is down",
                found=told.place,
                because=[Fact("the relay was stopped before the order was placed", "the ledger, fault " + relay.id)],
                so="a service publishes by itself what it also writes into its outbox: a crash between the two loses or invents an event.",
                next_step=f"labkit trace order {told.order_id}",
            )
    await trial.heal(answered)
    for fault in (customers, orders, relay):
        await trial.heal(fault)
    for order in (first, second, third):
        assert trial.books.decide(order) == APPROVED
        await trial.becomes(order, APPROVED)
    await trial.require(I3, I2, I6, I4, about=[customer.id])


@check("2.5", "No service can read the other's tables")
async def database_per_service(trial: Trial) -> None:
    for account, (service, own, other) in ACCOUNTS.items():
        for schema, may in ((own, True), (other, False)):
            refused = await asyncio.to_thread(_refused, trial, account, f"SELECT 1 FROM {schema}.message LIMIT 1")
            if may and refused is not None:
                raise Failed(
                    f"The account of {service} cannot read its own schema {own}: {refused[1]}.",
                    expected="SELECT is granted",
                    found=refused[1],
                    next_step="labkit up makes the accounts anew",
                )
            if not may and (refused is None or refused[0] not in DENIED):
                grants = [str(grant) for (grant,) in trial.sql(f"SHOW GRANTS FOR '{account}'@'%%'")]
                wide = [grant for grant in grants if f"`{other}`" in grant or "ON *.*" in grant.replace("GRANT USAGE ON *.*", "")]
                raise Failed(
                    f"The account of {service}, {account}, can SELECT from {other}: database per service is broken.",
                    expected=f"{account} is refused there",
                    found="it was not",
                    because=[Fact(grant, f"SHOW GRANTS FOR {account}") for grant in wide],
                    next_step=f"take it back as the administrator: REVOKE ALL PRIVILEGES ON {other}.* FROM '{account}'@'%'",
                )


@check("2.6", f"{ORDERS} mixed orders end consistent")
async def mixed_orders(trial: Trial) -> None:
    customers = [await trial.customer(limit=trial.amount("20.00", "30.00")) for _ in range(4)]
    wanted: list[tuple[int, Decimal]] = []
    for number, customer in enumerate(customers):
        low = (customer.limit / 2).quantize(CENT)
        wanted += [(customer.id, low + trial.amount("0.01", "3.00")), (customer.id, low + trial.amount("3.01", "6.00"))]  # fit only singly
        wanted += [(customer.id, trial.amount(f"0.{number}1", f"0.{number}9")), (customer.id, customer.limit + CENT)]
    nobody = trial.nobody()
    while len(wanted) < ORDERS:
        wanted.append((nobody, Decimal(len(wanted)) + CENT))
    trial.drawn().shuffle(wanted)
    placed = await asyncio.gather(*(trial.order(customer, total) for customer, total in wanted))
    ends = await asyncio.gather(*(trial.ended(order) for order in placed))
    approved: list[Order] = [order for order, end in zip(placed, ends, strict=True) if end == APPROVED]
    for order in approved[::2]:
        await trial.cancel(order)
    about = [*(customer.id for customer in customers), nobody]
    evidence = await trial.require(I3, I2, I1, I11, I8, I6, I4, I5, I10, I12, I7, about=about)
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


def _refused(trial: Trial, account: str, query: str) -> tuple[int, str] | None:
    """Error number and text when the account of a service may not do that, None when it may."""
    at = trial.stack.mysql
    try:
        connection = pymysql.connect(host=at.host, port=at.port, user=account, password=account, connect_timeout=5)
    except pymysql.MySQLError as error:
        raise NotJudged(f"{account} cannot log in: {error.args[-1]}.", next_step="labkit status") from error
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return None
    except pymysql.MySQLError as error:
        return int(error.args[0]), str(error.args[-1])
    finally:
        connection.close()


def prepare(trial: Trial) -> Trial:
    """What the checks of this lab are given."""
    return trial
