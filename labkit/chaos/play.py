"""Playing a schedule: load in the background, faults at their times, then everything is healed."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from labkit.chaos.schedule import ChaosEvent, Schedule
from labkit.checking.checks import Failed, NotJudged
from labkit.checking.session import Session
from labkit.checking.shop import Customer
from labkit.errors import UserError
from labkit.faults import engine, specify
from labkit.faults.engine import FaultSpec
from labkit.faults.ledger import Fault
from labkit.stack import sql

CUSTOMERS = 20
LIMIT = "60.00"
FIRE_S = 15.0  # how long a crash point may take to be reached; the load continues meanwhile
CANCEL_SHARE = 0.1

Tell = Callable[[str], None]


@dataclass
class Played:
    """The result: each event with its outcome, and the run's customers."""

    customers: list[int] = field(default_factory=list)
    events: list[tuple[ChaosEvent, str]] = field(default_factory=list)
    fired: int = 0


async def play(run: Session, schedule: Schedule, tell: Tell) -> Played:
    """Play the schedule; every fault is healed on return. Raises UserError if a fault cannot be healed, NotJudged if the first customers
    could not be created, and Failed if an answer breaks the contract."""
    played = Played()
    customers = await _customers(run, schedule)
    played.customers = [customer.id for customer in customers]
    started = time.monotonic()
    load = asyncio.create_task(_load(run, schedule, customers, started))
    events = [asyncio.create_task(_event(run, schedule, event, started, played, customers, tell)) for event in schedule.events]
    try:
        await asyncio.gather(*events)
        await load
    finally:
        tasks: list[asyncio.Task[None]] = [*events, load]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # no task may end unobserved
        await run.faults.heal_all()
    return played


async def _customers(run: Session, schedule: Schedule) -> list[Customer]:
    made = [await run.shop.create_customer(f"Chaos {schedule.seed}.{number}", LIMIT) for number in range(CUSTOMERS)]
    known = [customer for customer in made if customer is not None]
    if len(known) < len(made):
        raise NotJudged("No customer could be created.", next_step="labkit status")
    return known


async def _load(run: Session, schedule: Schedule, customers: list[Customer], started: float) -> None:
    """Place orders at the schedule's rate and cancel some of them a moment later. Calls without an answer are recorded as unknown."""
    dice = random.Random(f"load {schedule.seed}")
    calls: set[asyncio.Task[None]] = set()
    wrong: list[Failed] = []
    totals = {customer.id: list(range(1, 3000)) for customer in customers}
    for left in totals.values():
        dice.shuffle(left)
    try:
        for number in range(int(schedule.seconds * schedule.rate)):
            await asyncio.sleep(max(0.0, started + number / schedule.rate - time.monotonic()))
            customer = dice.choice(customers)
            total = Decimal(totals[customer.id].pop()) / 100
            call = asyncio.create_task(_one(run, customer.id, total, dice.random() < CANCEL_SHARE, wrong))
            calls.add(call)
            call.add_done_callback(calls.discard)
            if wrong:
                break
        await asyncio.gather(*calls)
    finally:
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.gather(*calls, return_exceptions=True)
    if wrong:
        raise wrong[0]


async def _one(run: Session, customer: int, total: Decimal, cancelled: bool, wrong: list[Failed]) -> None:
    try:
        order = await run.shop.place_order(customer, str(total))
        if cancelled and order.id is not None:
            await asyncio.sleep(0.05)
            await run.shop.cancel_order(order.id)
    except Failed as error:
        wrong.append(error)


async def _event(
    run: Session, schedule: Schedule, event: ChaosEvent, started: float, played: Played, customers: list[Customer], tell: Tell
) -> None:
    await asyncio.sleep(max(0.0, started + event.at - time.monotonic()))
    try:
        fault = await run.faults.apply(await asyncio.to_thread(_order, run, event, customers, random.Random(f"{schedule.seed} {event.at}")))
    except (NotJudged, UserError) as error:
        played.events.append((event, f"not done: {error}"))
        tell(f"{event.at:6.1f} s  {event}: not done, {str(error).splitlines()[0]}")
        return
    await asyncio.sleep(max(0.0, started + event.at + event.lasts - time.monotonic()))
    if event.verb == "crash":
        await _crashed(run, fault, started + event.at + FIRE_S)
    proof = await asyncio.to_thread(engine.proof, run.stack, fault)
    try:
        healed = fault if fault.over else await run.faults.heal(fault)
    except (NotJudged, UserError) as error:  # heal_all tries again at the end
        played.events.append((event, f"not healed at once: {error}"))
        tell(f"{event.at:6.1f} s  {event}: not healed at once, {str(error).splitlines()[0]}")
        return
    fired = proof.fired or (await asyncio.to_thread(engine.proof, run.stack, healed)).fired
    played.fired += fired
    took = time.monotonic() - started - event.at
    played.events.append((event, "fired" if fired else "did not fire"))
    tell(f"{event.at:6.1f} s  {event}{'' if fired else ' (did not fire)'}, healed after {took:.1f} s")


async def _crashed(run: Session, fault: Fault, deadline: float) -> None:
    while time.monotonic() < deadline:
        if any(hit["what"] == "crash" for hit in run.faults.hits(fault)):
            return
        await asyncio.sleep(0.05)


def _order(run: Session, event: ChaosEvent, customers: list[Customer], dice: random.Random) -> FaultSpec:
    """Return the fault that an event specifies. Raises UserError."""
    match event.verb:
        case "crash":
            return specify.crash(event.target, event.point, hit=event.hit)(run.stack)
        case "gate":
            return specify.gate(event.target)(run.stack)
        case "delay":
            return specify.delay(event.target, 0.05)(run.stack)
        case "poison":
            return specify.poison(run.stack, dice.choice(["order", "customer"]), key=str(dice.randint(1, 1000)))
        case "lock":
            return specify.lock("customer", dice.choice(customers).id)(run.stack)
        case "duplicate":
            return specify.duplicate(run.stack, _recent_message(run, dice))
        case verb:
            return specify.outage(run.stack, verb, event.target)


def _recent_message(run: Session, dice: random.Random) -> str:
    schema = dice.choice(run.stack.profile.schemas)
    try:
        with sql.connected(run.stack.mysql, 2.0) as cursor:
            cursor.execute(f"SELECT id FROM {schema}.message WHERE destination NOT LIKE '%dead-letter' ORDER BY id DESC LIMIT 50")
            found = [row[0] for row in cursor.fetchall()]
    except OSError as error:
        raise UserError(f"MySQL does not answer: {error}.", "labkit status") from error
    if not found:
        raise UserError("There is no message yet.", "labkit load")
    return str(dice.choice(found))
