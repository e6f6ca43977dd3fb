"""The argument of a check: the running application in business terms, the faults of the run, and the evidence to judge by.

    ada = await trial.customer(limit="15.00")
    order = await trial.order(ada, "15.01")
    await trial.becomes(order, rules.INSUFFICIENT_CREDIT)
    await trial.require(invariants.I2, invariants.I11, about=[ada.id])

A trial makes its own customers; names and amounts come from its seed. If it gets no answer, it explains why: Failed if the code is at
fault, NotJudged if the machine is.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from labkit.checking import contract, invariants, rows
from labkit.checking import evidence as evidence_of
from labkit.checking.attribution import Attribution
from labkit.checking.broker import BrokerView
from labkit.checking.checks import Failed, NotJudged
from labkit.checking.dead_letters import DeadLetter, given_up_by
from labkit.checking.evidence import Evidence
from labkit.checking.rules import PENDING, Books, OrderOutcome
from labkit.checking.schedule import Meeting, current_check
from labkit.checking.seeded_random import Dice
from labkit.checking.session import Session
from labkit.checking.shop import Customer, Order
from labkit.checking.waiting import last_seen
from labkit.evidence import database, environment
from labkit.evidence.collect import collect
from labkit.evidence.collection.facts import STILLNESS
from labkit.evidence.collection.model import Scenario
from labkit.evidence.quiescence import pending_orders
from labkit.evidence.quiescence.wait import MOVING_FOR_S, wait
from labkit.evidence.quiescence.watcher import Watcher
from labkit.faults.ledger import Fault
from labkit.invariants.discovery import Invariant, find

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

T = TypeVar("T")
SOON_S = 2.0  # how long an order is polled before the stores are asked for the cause; no verdict depends on it
EXPLAIN = ("I11", "I2", "I1", "I3")  # the invariants that explain an order's unexpected state
_READINGS = count(1)  # a new path for each reading of the process, because DuckDB treats equal paths as the same database
MOVES = ("moving", "repeating")  # how a wait for rest ended after which no other wait needs to be long
MOVING_STILL_S = 5.0
SAVED_AS = "check.duckdb"  # the last evidence of the last check


class Trial:
    """`shop` calls the REST API, `faults` are the faults of the run, `outboxes` and `broker` read messages, `books` compute the expected
    outcomes, `dice` draw names and amounts, `attribution` finds the cause of a failure. `folder` is the learner's workspace, or None
    if the reference services are judged."""

    def __init__(self, session: Session, seed: int, *, folder: Path | None = None) -> None:
        self.stack = session.stack
        self.shop, self.faults, self.outboxes = session.shop, session.faults, session.outboxes
        self.broker = BrokerView(session.stack)
        self.books = Books()
        self.dice = Dice(seed)
        self.seed = seed
        self.folder = folder
        self.began = time.time()
        self.attribution = Attribution(session.stack, self.began)
        self.notes: list[str] = []
        self.say: Callable[[str], None] = lambda _: None
        """Receives a description of the current activity."""
        self.meeting = Meeting(self._read_all)
        self._customers: list[int] = []
        self._once: dict[str, asyncio.Task[Any]] = {}
        self._evidence: list[tuple[Path, DuckDBPyConnection]] = []
        self._moves = ""

    def __enter__(self) -> "Trial":
        return self

    def __exit__(self, *_: object) -> None:
        """Close the trial. The evidence stays as a file in the stack's directory."""
        self.attribution.close()
        for path, connection in self._evidence:
            connection.close()
            path.replace(self.stack.directory / SAVED_AS)

    # customers and orders

    def amount(self, low: str, high: str) -> Decimal:
        """Return a random amount from the seed, in whole cents."""
        return self.dice.amount(low, high)

    async def customer(self, name: str | None = None, limit: str | Decimal | None = None) -> Customer:
        """Create a customer and enter it in the books."""
        name = name or self.dice.name()
        wanted = str(limit if limit is not None else self.amount("15.00", "99.99"))
        made = await self.shop.create_customer(name, wanted)
        if made is None:
            await self.attribution.no_answer(self.shop.request("create_customer", customer_name=name))
        self.books.open(made)
        self._customers.append(made.id)
        return made

    def unknown_customer(self) -> int:
        """Return the id of a customer that no service knows and no other trial uses."""
        customer_id = 2**62 + time.time_ns()
        self._customers.append(customer_id)
        return customer_id

    async def order(self, customer: int | Customer, total: str | Decimal, *, alike: bool = False) -> Order:
        """Place an order that must be accepted; it may still be rejected later. `alike`: the customer may already have an order with the
        same total."""
        placed = await self.shop.place_order(customer, str(total), alike=alike)
        if placed.id is None:
            await self.attribution.no_answer(self.shop.request("create_order", customer_id=placed.customer_id, total=placed.total))
        return Order(placed.id, placed.customer_id, placed.total)

    async def cancel(self, order: int | Order) -> str:
        """Cancel an order. Return `ok` or `refused`."""
        order_id = order if isinstance(order, int) else order.id
        outcome = await self.shop.cancel_order(order_id)
        if outcome == "unknown":
            await self.attribution.no_answer(self.shop.request("cancel_order", order_id=order_id))
        return outcome

    async def state(self, order: Order) -> OrderOutcome:
        """Return the order's state and reason as GET /orders/{id} shows them."""
        row, answer = await self.shop.call("read_order", "GET", f"/orders/{order.id}", None, order_id=order.id)
        if answer is None:
            await self.attribution.no_answer(row)
        return OrderOutcome(answer["orderState"], answer.get("rejectionReason"))

    async def history(self, customer_id: int) -> tuple[int, Any]:
        """Return the status and the document of the order history."""
        return await self.get(f"/customers/{customer_id}/orderhistory")

    async def get(self, path: str) -> tuple[int, Any]:
        """Return the status and the JSON of an answer, with amounts as Decimal. Raises Failed or NotJudged if there is no answer, and
        Failed if an answer with status 2xx breaks the contract."""
        row, _ = await self.shop.call("read", "GET", path, None)
        if row["status"] is None:
            await self.attribution.no_answer(row)
        return int(row["status"]), contract.answer_of(row["answer"])

    # waiting

    async def becomes(self, order: Order, expected: OrderOutcome) -> None:
        """Wait until the order has left its state, and require the outcome that the rules expect. Raises Failed or NotJudged."""
        found = await self._soon(order, expected)
        if found == expected:
            return
        if found == PENDING or expected.state == "CANCELLED":
            evidence = await self.evidence()  # waits until nothing is left that could change the order
            found = await self.state(order)
            if found == expected:
                return
            if found == PENDING:
                evidence.require(invariants.I3, about=[order.customer_id])
        if found.state == expected.state and found.reason is None:
            raise Failed(
                f"Order {order.id} ({order.total:.2f}) of customer {order.customer_id} is {found}, but its reason is empty.",
                expected=str(expected),
                found=f"{found} without a reason",
                so="the client cannot know why it was refused.",
                next_step="is the reason stored with the state when orders rejects an order?",
            )
        wrong = Failed(
            f"Order {order.id} ({order.total:.2f}) of customer {order.customer_id} is {found}.",
            expected=str(expected),
            found=str(found),
            next_step=f"labkit trace order {order.id}",
        )
        await self.fail_with_cause(wrong, about=[order.customer_id])

    async def _soon(self, order: Order, expected: OrderOutcome | None) -> OrderOutcome:
        waiting_in = {"PENDING", "APPROVED"} if expected and expected.state == "CANCELLED" else {"PENDING"}
        return await last_seen(lambda: self.state(order), lambda found: found.state not in waiting_in or found == expected, within_s=SOON_S)

    async def ended(self, *orders: Order) -> list[OrderOutcome]:
        """Wait until nothing is left that could change these orders, and return their outcomes; the evidence shows whether they are
        right. The faults of the check stay in place."""
        found = await asyncio.gather(*(self._soon(order, None) for order in orders))
        if PENDING in found:
            await asyncio.to_thread(self._wait_for_stillness)
            found = await asyncio.gather(*(self.state(order) for order in orders))
        return found

    async def held(self, gate: Fault, order: Order) -> None:
        """Wait until a closed gate holds the message about an order. Raises Failed if the code passed the gate or the message did not
        come."""

        async def past() -> bool:
            return await self.state(order) != PENDING

        try:
            await self.faults.hit(gate, "held", past=past)
        except NotJudged as late:
            await self.faults.heal_all()
            (await self.evidence()).require(invariants.I3, about=[order.customer_id])
            raise late from None

    async def released(self, order: Order) -> None:
        """Wait until an order's credit is free again, or until nothing is left that could free it; the evidence shows which."""
        if await last_seen(lambda: self.reserved(order), lambda is_reserved: not is_reserved, within_s=SOON_S):
            await asyncio.to_thread(self._wait_for_stillness)

    async def reserved(self, order: Order) -> bool:
        """Return whether credit is reserved for the order now."""
        return await asyncio.to_thread(rows.count, self.stack, "reservation", order_id=order.id) > 0

    async def given_up_by(self, component: str) -> list[DeadLetter]:
        """Return the messages that a subscriber gave up since this trial began."""
        return await asyncio.to_thread(given_up_by, self.stack, component, self.began)

    def _wait_for_stillness(self) -> None:
        self.say("waiting until the system is at rest")
        with Watcher(self.stack) as watcher:
            stillness = wait(watcher, pending_orders.of_customers(self._customers), moving_for_s=self._moving_for_s)
        self._note_rest(STILLNESS[stillness.state])

    @property
    def _moving_for_s(self) -> float:
        return MOVING_STILL_S if self._moves else MOVING_FOR_S

    def _note_rest(self, how: str) -> None:
        if how in MOVES and self._moves != "repeating":
            self._moves = how

    # judging

    async def evidence(self) -> Evidence:
        """Return every store at a moment when nothing moves, for all customers of this trial. Checks that ask at the same time share one
        reading, which starts when no check is doing anything else."""
        return await self.meeting.come()

    async def require(self, *wanted: Invariant, about: Iterable[int]) -> Evidence:
        """Collect the evidence and require that these invariants hold for these customers. Raises Failed or NotJudged."""
        evidence = await self.evidence()
        evidence.require(*wanted, about=about)
        return evidence

    async def fail_with_cause(self, wrong: Failed, *, about: Iterable[int], by: Sequence[Invariant] = ()) -> NoReturn:
        """Raise the cause that the stores show, or else `wrong`. Raises Failed in any case: what is wrong stays wrong even if the
        machine was at fault too."""
        try:
            (await self.evidence()).require(*(by or map(find, EXPLAIN)), about=about)
        except Failed as cause:
            seen = wrong.explanation
            raise Failed.of(replace(cause.explanation, expected=seen.expected, found=seen.found)) from None
        except NotJudged:
            pass
        raise wrong

    async def _read_all(self) -> Evidence:
        self.say("waiting until the system is at rest")
        await self.faults.heal_all()  # heals the faults of a check that failed before it could heal them
        path = self.stack.directory / f"check.{next(_READINGS)}.duckdb"
        about = Scenario(self.shop.requests, self._customers, (), self.seed, self.attribution.stalls(), since=self.began)
        try:
            connection = await asyncio.to_thread(collect, self.stack, path, about, tell=self.say, moving_for_s=self._moving_for_s)
        except OSError as error:
            raise NotJudged(f"The stores could not be read: {error}.", next_step="labkit status") from error
        self._evidence.append((path, connection))
        how = database.fact(connection, "stillness")
        self._note_rest(how)
        if self._moves == "repeating" and how == "moving":
            database.set_fact(connection, "stillness", "repeating")  # it was not waited for long enough to see it again
        since = environment.utc(self.began)
        (parked,) = connection.execute("SELECT count(*) FROM dead_letters WHERE parked < ?", [since]).fetchone() or (0,)
        evidence_of.forget_older(connection, self.began)
        evidence = Evidence(connection, self.shop.requests, evidence_of.older(connection, parked))
        if evidence.older and not self.notes:
            self.notes.append(evidence.older)
        return evidence

    # work that several checks share

    def begin_once(self, name: str, make: Callable[[], Coroutine[Any, Any, T]]) -> "asyncio.Task[T]":
        """Start shared work, unless it was already started under this name. Amounts are drawn under the name, as for a check."""
        if name not in self._once:
            token = current_check.set(name)
            self._once[name] = self.meeting.make(make())
            current_check.reset(token)
        return self._once[name]

    async def once(self, name: str, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the result of work that is done once for all checks that ask for it."""
        return await self.meeting.join(self.begin_once(name, make))

    async def end_shared_work(self) -> None:
        """Cancel shared work that is still under way, because nobody waits for it any more, and return when it has ended."""
        for task in self._once.values():
            task.cancel()
        await asyncio.gather(*self._once.values(), return_exceptions=True)
