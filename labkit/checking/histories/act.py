"""What people do: they place orders, cancel them, and ask for what must be refused."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from labkit.checking import contract, faults
from labkit.checking.checks import Failed
from labkit.checking.documents import CENT
from labkit.checking.histories import pages
from labkit.checking.histories.model import Person, Refused, Total
from labkit.checking.histories.pages import NOBODY, Placed
from labkit.checking.rules import APPROVED, CANCELLED
from labkit.checking.shop import Customer, Order, PlacedOrder
from labkit.checking.trial import Trial

# What is sent for a request that must be refused: path, body, status, and the field that is wrong.
_LIMIT = {"amount": 5}
_REFUSED: dict[Refused, tuple[str, Any, int, str]] = {
    Refused.NO_TOTAL: ("/orders", {"customerId": 1, "orderTotal": {"amount": 0}}, 400, "orderTotal"),
    Refused.HALF_A_CENT: ("/orders", {"customerId": 1, "orderTotal": {"amount": 1.005}}, 400, "orderTotal"),
    Refused.CUSTOMER_0: ("/orders", {"customerId": 0, "orderTotal": {"amount": 1}}, 400, "customerId"),
    Refused.NO_NAME: ("/customers", {"name": " ", "creditLimit": _LIMIT}, 400, "name"),
    Refused.LONG_NAME: ("/customers", {"name": "x" * 256, "creditLimit": _LIMIT}, 400, "name"),
    Refused.DEBT: ("/customers", {"name": "Ada", "creditLimit": {"amount": -0.01}}, 400, "creditLimit"),
    Refused.NO_LIMIT: ("/customers", {"name": "Ada"}, 400, "creditLimit"),
    Refused.CANCEL_UNKNOWN: (f"/orders/{NOBODY}/cancel", None, 404, ""),
    Refused.CANCEL_NO_ID: ("/orders/abc/cancel", None, 400, ""),
}
_UNKNOWN_MAY_SPEND = Decimal("10.00")


class Acting:
    """A person of a history, what it has done so far, and the orders that it has placed."""

    def __init__(self, trial: Trial, person: Person) -> None:
        self.trial, self.person = trial, person
        self.customer: Customer | int = 0
        self.placed: list[Placed] = []
        self.said: list[str] = []

    @property
    def id(self) -> int:
        return self.customer if isinstance(self.customer, int) else self.customer.id

    @property
    def left(self) -> Decimal:
        """How much it may still spend."""
        return self.trial.books.available(self.customer) if isinstance(self.customer, Customer) else _UNKNOWN_MAY_SPEND

    async def appear(self) -> None:
        """Become a customer, which everybody can see at once; or remain unknown."""
        if not self.person.name:
            self.customer = self.trial.unknown_customer()
            return
        self.customer = await self.trial.customer(self.person.name, self.person.limit)
        await pages.of_customer(self.trial, self.customer)


async def place(person: Acting, total: Total) -> None:
    order = await accepted(person, amount(person, total))
    await decided(person, [order])


def amount(person: Acting, total: Total) -> Decimal:
    """Return the amount. Somebody who has nothing left still orders a cent."""
    if total is Total.ALIKE and person.placed:
        return person.placed[-1].order.total
    limit = person.customer.limit if isinstance(person.customer, Customer) else person.left
    wanted = {
        Total.A_PART: (person.left / 5).quantize(CENT),
        Total.ALIKE: (person.left / 5).quantize(CENT),
        Total.ALL: person.left,
        Total.A_CENT_MORE: person.left + CENT,
        Total.OVER_THE_LIMIT: limit + CENT,
        Total.A_CENT: CENT,
    }
    return max(CENT, wanted[total])


async def accepted(person: Acting, total: Decimal, *, look: bool = True) -> Order:
    """Place an order, which everybody can see at once. It is decided later. Do not `look` while the Order service may end."""
    order = await person.trial.order(person.customer, total, alike=True)
    if look:
        await person.trial.state(order)
    return accepted_as(person, order)


def accepted_as(person: Acting, placed: PlacedOrder) -> Order:
    """Enter an order that was accepted among the person's orders."""
    trial = person.trial
    assert placed.id is not None
    order = Order(placed.id, placed.customer_id, placed.total)
    person.said.append(f"order {order.id} over {order.total}")
    answer = contract.answer_of(trial.shop.request("create_order", order_id=order.id)["answer"])
    person.placed.append(Placed(order, answer.get("creationTime")))
    return order


async def decided(person: Acting, orders: Sequence[Order]) -> None:
    """Require that each of these orders, which may compete for the credit, is decided as the books say, in some sequence."""
    trial = person.trial
    if len(orders) > 1:
        ends = await trial.ended(*orders)
        orders = [order for _, order in sorted(zip(ends, orders, strict=True), key=lambda pair: pair[0] != APPROVED)]
    for order in orders:
        await trial.becomes(order, trial.books.decide(order))
    for placed in person.placed:
        if placed.order in orders:
            await pages.of_order(trial, placed)


async def cancel(person: Acting, which: int, times: int) -> None:
    if which >= len(person.placed):
        return
    trial, placed = person.trial, person.placed[which]
    order, before = placed.order, trial.books.outcome(placed.order)
    person.said.append(f"cancel order {order.id}" + (f", {times} requests at once" if times > 1 else ""))
    ends = await _at_once(trial, order, times) if times > 1 else [await trial.cancel(order)]
    wanted, found = 1 if before == APPROVED else 0, ends.count("ok")
    rows = cancels(trial, order, times)
    if found != wanted:
        raise Failed(
            f"Order {order.id} ({order.total:.2f}) was {before}, and {found} of {times} request{'s' * (times > 1)} to cancel it succeeded.",
            expected=f"{wanted}: only an APPROVED order can be cancelled, and once",
            found=f"{found}; the last answer was {rows[-1]['status']}",
            next_step="is the order's state read and changed in one transaction? see cancel in services/orders/app.py",
        )
    for row in rows:
        if row["outcome"] != "ok" and row["status"] != 409:
            raise wrong_status(row, 409, f"order {order.id} was {before if not wanted else 'being cancelled'}")
    if wanted:
        await cancelled(person, placed)
    await pages.of_order(trial, placed)


async def _at_once(trial: Trial, order: Order, times: int) -> list[str]:
    """Cancel an order by several requests that meet at its row, so that what they read and what they write cannot miss each other by
    luck."""
    async with faults.held_row(trial, "order", order.id) as row:
        requests = [asyncio.ensure_future(trial.cancel(order)) for _ in range(times)]
        await row.wanted("orders", times)
    return list(await asyncio.gather(*requests))


async def cancelled(person: Acting, placed: Placed) -> None:
    """Enter a cancellation in the books, and require that its answer and the order's state show it."""
    trial, order = person.trial, placed.order
    row = trial.shop.request("cancel_order", order_id=order.id, outcome="ok")
    trial.books.cancel(order)
    expected = pages.expected_order(placed, trial.books.outcome(order))
    pages.require_same(f"The answer to {row['method']} {row['path']}", expected, contract.answer_of(row["answer"]))
    seen = await trial.state(order)
    if seen != CANCELLED:
        raise Failed(
            f"Order {order.id} ({order.total:.2f}) is {seen}, but the answer to its cancellation said that it is CANCELLED.",
            expected="CANCELLED as soon as the answer is there",
            found=str(seen),
            so="the answer came before the change was committed: a crash between the two loses the cancellation.",
            next_step="when is the transaction committed? see cancel in services/orders/app.py",
        )
    await trial.released(order)


def cancels(trial: Trial, order: Order, count: int) -> list[dict[str, Any]]:
    """Return the last requests to cancel an order."""
    return [row for row in trial.shop.requests if row["operation"] == "cancel_order" and row["order_id"] == order.id][-count:]


async def ask_for_the_impossible(person: Acting, what: Refused) -> None:
    path, body, status, field = _REFUSED[what]
    person.said.append(f"try {what.value}")
    row, _ = await person.trial.shop.call("refused", "POST", path, body)
    if row["status"] is None:
        await person.trial.attribution.no_answer(row)
    if row["status"] != status:
        raise wrong_status(row, status, f"the request is {what.value}")
    answer = contract.answer_of(row["answer"])
    named = answer.get("field") if isinstance(answer, dict) else None
    if field and named is not None and named not in (field, f"{field}.amount"):
        raise Failed(
            f"POST {path} refuses {what.value}, and says that the field {named} is wrong.",
            expected=f"field = {field}",
            found=f"field = {named}",
            next_step="which field is checked there?",
        )


def wrong_status(row: dict[str, Any], status: int, because: str) -> Failed:
    path = row["path"]
    return Failed(
        f"{row['method']} {path} answers {row['status']}, but {because}.",
        expected=str(status),
        found=f"{row['status']} {contract.detail_of(row['answer'])}".strip(),
        next_step="labkit logs orders" if path.startswith("/orders") else "labkit logs customers",
    )
