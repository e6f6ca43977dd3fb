"""labkit order: place one order and show its outcome."""

import asyncio
import json
import time
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from labkit.checking.checks import Failed
from labkit.checking.shop import Shop
from labkit.errors import ExitCode, UserError
from labkit.stack import runtimes, stack_names
from labkit.stack.model import Stack
from labkit.terminal import say

NAME, LIMIT = "Ada", "15.00"  # the customer made if none is named
PATIENCE_S, LOOK_S = 5.0, 0.02


@dataclass(frozen=True)
class Placed:
    """A placed order. `made`: a new customer was made for it. `state`: the state that GET last returned, after `seconds`."""

    order: int
    customer: int
    made: bool
    state: str
    seconds: float


def order(stack_name: str, total: str, *, customer: int | None, limit: str | None, as_json: bool) -> ExitCode:
    """Place an order and wait up to 5 s for the saga to end. Exit code 1 if the order was not accepted."""
    total, limit = _amount(total), _amount(limit or LIMIT)
    stack = runtimes.load_running(stack_name)
    placed = asyncio.run(_place(stack, total, customer, limit))
    if as_json:
        found = {"order": placed.order, "customer": placed.customer, "total": total, "state": placed.state}
        say.raw(json.dumps({**found, "seconds": round(placed.seconds, 3)}, indent=2))
        return ExitCode.OK
    if placed.made:
        say.line(f'Customer {placed.customer} "{NAME}" may spend {limit}.')
    took = f"still PENDING after {PATIENCE_S:g} s" if placed.state == "PENDING" else f"{placed.state} after {placed.seconds:.2f} s"
    say.line(f"Order {placed.order} for {total} of customer {placed.customer}: {took}.")
    say.line(f"Next: labkit trace order {placed.order}{stack_names.named(stack_name)}")
    return ExitCode.OK


def _amount(text: str) -> str:
    """Return the amount with two decimals. Raises UserError."""
    try:
        amount = Decimal(text)
        if amount.is_finite() and 0 <= amount < 10**12 and amount == round(amount, 2):
            return f"{amount:.2f}"
    except InvalidOperation:
        pass
    raise UserError(f"{text!r} is not an amount of money.", "labkit order 12.34", exit_code=ExitCode.USAGE)


async def _place(stack: Stack, total: str, customer: int | None, limit: str) -> Placed:
    shop = Shop(stack)
    try:
        made = None
        if customer is None:
            made = await shop.create_customer(NAME, limit)
            if made is None:
                raise _refused(shop)
            customer = made.id
        begun = time.monotonic()
        placed = await shop.place_order(customer, total)
        if placed.id is None:
            raise _refused(shop)
        now = "PENDING"
        while now == "PENDING" and time.monotonic() - begun < PATIENCE_S:
            now = await shop.order_state(placed.id) or now
            await asyncio.sleep(LOOK_S)
        return Placed(placed.id, customer, made is not None, now, time.monotonic() - begun)
    except Failed as wrong:
        raise UserError(wrong.explanation.sentence, "labkit logs gateway") from None
    finally:
        await shop.close()


def _refused(shop: Shop) -> UserError:
    last = shop.requests[-1]
    answered = f"answered {last['status']}" if last["status"] else "did not answer"
    said = f": {last['answer'][:200]}" if last["answer"] else ""
    return UserError(f"{last['method']} {last['path']} {answered}{said}", "labkit status")
