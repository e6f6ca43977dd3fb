"""What is done to the system while people place and cancel orders. Each disturbance heals its faults before it returns, and says whether it
took place: a fault that did not fire proves nothing."""

import asyncio

from labkit.checking import faults
from labkit.checking.calls import callers_during
from labkit.checking.checks import Failed, NotJudged
from labkit.checking.documents import CENT
from labkit.checking.histories.act import Acting, accepted, amount, cancelled, cancels, decided, wrong_status
from labkit.checking.histories.model import (
    CancelWhilePending,
    CrashWhilePlacing,
    EventsAgain,
    PlaceTogether,
    PlaceWhileDown,
    PlaceWhilePaused,
    Total,
)
from labkit.checking.rules import PENDING
from labkit.checking.shop import Order
from labkit.system.model import Profile

MEET_S = 0.5


def may_be_down(profile: Profile) -> list[str]:
    """Return the components that may be down while an order is placed: not the gateway, the Order service, and the database."""
    needed = {"gateway", "orders", "mysql"}
    return [name for name in profile.components if name not in needed]


def _only_shows(profile: Profile, component: str) -> bool:
    """Whether the component is a part of the view: no decision needs it."""
    return component == profile.view_store or any(each.component == component and each.stores_positions for each in profile.subscriptions)


def _asks(profile: Profile) -> str:
    """Return the message that asks for an order's credit."""
    return next(reaction.message for reaction in profile.reactions if reaction.effect == "answer")


async def place_while_down(person: Acting, step: PlaceWhileDown) -> None:
    trial = person.trial
    person.said.append(f"{step.component} is down")
    async with trial.faults.during(faults.outage(trial.stack, "kill", step.component)) as killed:
        await trial.faults.fired(killed)
        orders = await _independent(person, step.count)
        if not _only_shows(trial.stack.profile, step.component):
            for order in orders:
                await _pending(person, order, f"{step.component} is down")
    person.said.append(f"{step.component} is up again")
    await decided(person, orders)


async def place_while_paused(person: Acting, step: PlaceWhilePaused) -> None:
    trial = person.trial
    person.said.append(f"{step.component} is paused")
    async with trial.faults.during(faults.outage(trial.stack, "pause", step.component)) as paused:
        await trial.faults.fired(paused)
        order, callers = await callers_during(trial.stack, step.component, accepted(person, amount(person, Total.A_PART)))
    person.said.append(f"{step.component} goes on")
    if callers:
        raise Failed(
            f"{', '.join(sorted(callers))} had a connection to {step.component} while order {order.id} was placed.",
            expected="no connection between services: they exchange messages",
            found=f"{', '.join(sorted(callers))} to {step.component}, which was paused and could not answer",
            so=f"whoever calls {step.component} while it answers is as slow as {step.component}, and fails with it.",
            next_step="which request goes to another service? Messages carry all that is needed.",
        )
    await decided(person, [order])


async def _independent(person: Acting, count: int) -> list[Order]:
    """Place orders that do not compete: all but one fit, and one is beyond the limit."""
    part = (person.left / (count + 1)).quantize(CENT)
    totals = [part + CENT * number for number in range(count - 1)] if part > CENT * count else [amount(person, Total.A_CENT_MORE)]
    return [await accepted(person, total) for total in (*totals, amount(person, Total.OVER_THE_LIMIT))]


async def _pending(person: Acting, order: Order, why: str) -> None:
    seen = await person.trial.state(order)
    if seen != PENDING:
        raise Failed(
            f"Order {order.id} ({order.total:.2f}) is {seen}, but {why}: nobody can have decided about its credit.",
            expected="PENDING",
            found=str(seen),
            next_step=f"labkit trace order {order.id}",
        )


async def place_together(person: Acting, step: PlaceTogether) -> None:
    """Let orders that compete for the credit wait before the Customer service, and let them go at once."""
    trial = person.trial
    half = max(CENT, (person.left / 2).quantize(CENT))
    totals = [half + CENT, half + 2 * CENT, half + CENT][: step.count]
    asks = _asks(trial.stack.profile)
    held = await trial.faults.apply(faults.gate("customers", event_type=asks))
    orders = [await accepted(person, total) for total in totals]
    for order in orders:
        await trial.outboxes.published(order, asks)
    person.said.append(f"customers takes them {'one by one' if step.one_by_one else 'together'}")
    if step.one_by_one:
        async with trial.faults.during(faults.switch("customers", "batch", "1")):
            await trial.faults.heal(held)
            await decided(person, orders)
    else:
        await trial.faults.heal(held)
        await decided(person, orders)


async def crash_while_placing(person: Acting, step: CrashWhilePlacing) -> None:
    trial = person.trial
    if person.left < CENT:
        return
    ends = await trial.faults.apply(faults.crash(step.component, step.point))
    order = await accepted(person, amount(person, Total.A_PART), look=False)
    person.said.append(f"{step.component} ends at {step.point}")
    late: NotJudged | None = None
    try:
        await trial.faults.fired(ends)
    except NotJudged as error:
        late = error
    await trial.faults.heal(ends)
    await decided(person, [order])
    if late is not None:
        raise late


async def cancel_while_pending(person: Acting, step: CancelWhilePending) -> None:
    trial = person.trial
    if person.left < CENT:
        return
    granted = next(message.name for message in trial.stack.profile.messages if message.answers == "granted")
    gate = await trial.faults.apply(faults.gate("orders", event_type=granted, key=str(person.id)))
    order = await accepted(person, amount(person, Total.A_PART))
    await trial.held(gate, order)
    placed = person.placed[-1]
    if step.under_way:
        person.said.append(f"cancel order {order.id} at the moment when it is approved")
        _, outcome = await asyncio.gather(trial.faults.heal(gate), trial.cancel(order))
    else:
        person.said.append(f"cancel order {order.id} while it is PENDING")
        outcome = await trial.cancel(order)
        await trial.faults.heal(gate)
    if outcome == "ok" and not step.under_way:
        raise Failed(
            f"Order {order.id} ({order.total:.2f}) was PENDING, but cancelling it was accepted.",
            expected="409: only an APPROVED order can be cancelled",
            found=f"200, and the order is {await trial.state(order)}",
            so="nothing is reserved for it yet: what is reserved afterwards is never released.",
            next_step="which states may be cancelled? see Order.cancelled in services/orders/domain.py",
        )
    (row,) = cancels(trial, order, 1)
    if outcome != "ok" and row["status"] != 409:
        raise wrong_status(row, 409, f"order {order.id} was PENDING")
    if outcome == "ok":
        trial.books.decide(order)
        await cancelled(person, placed)
    else:
        await decided(person, [order])


async def events_again(person: Acting, step: EventsAgain) -> None:
    if step.which >= len(person.placed):
        return
    trial, order = person.trial, person.placed[step.which].order
    if step.after_restart:
        async with trial.faults.during(faults.outage(trial.stack, "kill", step.after_restart)) as killed:
            await trial.faults.fired(killed)
        person.said.append(f"{step.after_restart} is started again")
    messages = await trial.outboxes.about_order(order)
    await trial.faults.apply(await asyncio.to_thread(faults.copies, trial.stack, [message.id for message in messages]))
    person.said.append(f"{', '.join(message.name for message in messages)} of order {order.id} come again")


async def meet(person: Acting) -> None:
    """Let handlers with orders of the same customer meet between reading and writing. Right code lets one wait for the other, so they do
    not meet; code that forgets the lock approves more than fits."""
    trial = person.trial
    half = max(CENT, (person.left / 2).quantize(CENT))
    point = "customer.reserve.between_read_and_write"
    person.said.append("two handlers meet between reading and writing, if they can")
    async with trial.faults.during(faults.barrier("customers", point, timeout_s=MEET_S)):
        orders = list(await asyncio.gather(*(accepted(person, half + CENT * (number + 1)) for number in range(3))))
        await decided(person, orders)
