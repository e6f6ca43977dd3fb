"""What a check is given: the running application in the words of its business, the faults of a scenario, and the evidence to judge by.

    ada = await trial.customer(limit="15.00")
    order = await trial.order(ada, "15.01")
    await trial.becomes(order, rules.INSUFFICIENT_CREDIT)
    await trial.require(I2, I11, about=[ada.id])

A trial makes its own customers; names and amounts come from its seed. Each answer that it does not get is attributed: Failed when the
code is at fault, NotJudged when the machine is.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from labkit import quiescence
from labkit.evidence import environment
from labkit.evidence.collect import Scenario, collect
from labkit.explanation import Explanation, Fact
from labkit.faults.ledger import Fault
from labkit.invariants.catalog import I1, I2, I3, I11, Invariant
from labkit.lab import attribution, complaints, contract
from labkit.lab import evidence as evidence_of
from labkit.lab.check import Failed, NotJudged
from labkit.lab.client import Customer, PlacedOrder
from labkit.lab.documents import CENT
from labkit.lab.evidence import Evidence
from labkit.lab.rules import PENDING, Books, OrderOutcome
from labkit.lab.scenario import LOOK_S, Run
from labkit.lab.schedule import Meeting, at_work
from labkit.quiescence import Watcher
from labkit.stack import sql
from labkit.stack.model import Stack

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ANSWERED_S = 10.0
SOON_S = 2.0  # how long an order is looked at before the stores are asked what is the matter: decides no verdict
NAMES = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Alan", "Radia", "Leslie", "Hedy", "Dennis", "Joan")
PENDING_NO_MORE = OrderOutcome("ANY")
EXPLAIN = (I11, I2, I1, I3)  # why an order is not what it should be
KEPT = "check.duckdb"  # the last evidence of the last check


class Order(PlacedOrder):
    """An order that was accepted."""

    id: int


class Trial(Run):
    """`folder` is the learner's workspace, None where the reference services are judged."""

    def __init__(self, stack: Stack, command: str, seed: int, *, folder: Path | None = None) -> None:
        super().__init__(stack, command, seed)
        self.folder = folder
        self.began = time.time()
        self.books = Books()
        self.notes: list[str] = []
        self.say: Callable[[str], None] = lambda _: None
        """Hears what is being done."""
        self._stalls = environment.StallWatch()
        self._stalls.__enter__()
        self._customers: list[int] = []
        self._dices: dict[str, random.Random] = {}
        self._open: list[DuckDBPyConnection] = []
        self.meeting = Meeting(self._read_all)

    async def close(self) -> None:
        self._stalls.__exit__()
        for number, connection in enumerate(self._open):
            connection.close()
            (self.stack.directory / f"check.{number}.duckdb").replace(self.stack.directory / KEPT)
        await super().close()

    # amounts and names

    def drawn(self) -> random.Random:
        """The dice of the check that is at work: what one check draws does not depend on what the others do meanwhile."""
        who = at_work.get()
        return self._dices.setdefault(who, random.Random(f"{self.seed} {who}"))

    def amount(self, low: str, high: str) -> Decimal:
        """Drawn from the seed, in cents."""
        return Decimal(self.drawn().randint(int(Decimal(low) * 100), int(Decimal(high) * 100))) * CENT

    def nobody(self) -> int:
        """The id of a customer whom nobody knows, and whom no other trial has named."""
        customer_id = 2**62 + time.time_ns()
        self._customers.append(customer_id)
        return customer_id

    # acting

    async def customer(self, name: str | None = None, limit: str | Decimal | None = None) -> Customer:
        """A new customer, who is in the books."""
        dice = self.drawn()
        name = name or f"{dice.choice(NAMES)} {dice.randrange(1000, 10_000)}"
        wanted = str(limit if limit is not None else self.amount("15.00", "99.99"))
        made = await super().customer(name, wanted)
        if made is None:
            await self.no_answer(self.request("create_customer", customer_name=name))
        self.books.open(made)
        self._customers.append(made.id)
        return made

    async def order(self, customer: int | Customer, total: str | Decimal, *, alike: bool = False) -> Order:
        """Accepted; what becomes of it is another question."""
        placed = await super().order(customer, str(total), alike=alike)
        if placed.id is None:
            await self.no_answer(self.request("create_order", customer_id=placed.customer_id, total=placed.total))
        return Order(placed.id, placed.customer_id, placed.total)

    async def cancel(self, order: int | Order) -> str:
        """Accepted, or `refused`."""
        order_id = order if isinstance(order, int) else order.id
        outcome = await super().cancel(order_id)
        if outcome == "unknown":
            await self.no_answer(self.request("cancel_order", order_id=order_id))
        return outcome

    def request(self, operation: str, **about: object) -> dict[str, Any]:
        """The last call of this kind about something, as it was written down."""
        return next(row for row in reversed(self.requests) if row["operation"] == operation and about.items() <= row.items())

    async def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON with amounts as Decimal; raises when nobody answers, or an answer with 2xx is not what the contract says."""
        row, _ = await self._call("read", "GET", path, None)
        if row["status"] is None:
            await self.no_answer(row)
        return int(row["status"]), answer_of(row)

    async def seen(self, order: Order) -> OrderOutcome:
        """As GET /orders/{id} tells it."""
        row, answer = await self._call("read_order", "GET", f"/orders/{order.id}", None, order_id=order.id)
        if answer is None:
            await self.no_answer(row)
        return OrderOutcome(answer["orderState"], answer.get("rejectionReason"))

    async def history(self, customer_id: int) -> tuple[int, Any]:
        """Status and document of the order history."""
        return await self.get(f"/customers/{customer_id}/orderhistory")

    # waiting and judging

    async def becomes(self, order: Order, expected: OrderOutcome) -> None:
        """Wait until the order is no longer what it was, and see that it is what the rules say. Raises Failed or NotJudged."""
        found = await self._soon(order, expected)
        if found == expected:
            return
        if found == PENDING or expected.state == "CANCELLED":
            evidence = await self.evidence()  # waits until nothing is left that could move it
            found = await self.seen(order)
            if found == expected:
                return
            if found == PENDING:
                evidence.require(I3, about=[order.customer_id])
        if found.state == expected.state and found.reason is None:
            raise Failed(
                f"Order {order.id} ({order.total:.2f}) of customer {order.customer_id} is {found}, but its reason is empty.",
                expected=str(expected),
                found=f"{found} without a reason",
                so="whoever placed it cannot know why it was refused.",
                next_step="is the reason stored with the state when orders rejects an order?",
            )
        wrong = Failed(
            f"Order {order.id} ({order.total:.2f}) of customer {order.customer_id} is {found}.",
            expected=str(expected),
            found=str(found),
            next_step=f"labkit trace order {order.id}",
        )
        await self.explained(wrong, about=[order.customer_id])

    async def explained(self, wrong: Failed, *, about: Iterable[int], by: Sequence[Invariant] = EXPLAIN) -> NoReturn:
        """Raise what the stores show to be the cause, or else this. What is wrong is wrong, whatever the machine did meanwhile."""
        try:
            (await self.evidence()).require(*by, about=about)
        except Failed as cause:
            said = wrong.explanation
            raise Failed.of(replace(cause.explanation, expected=said.expected, found=said.found)) from None
        except NotJudged:
            pass
        raise wrong

    async def _soon(self, order: Order, expected: OrderOutcome) -> OrderOutcome:
        deadline = time.monotonic() + SOON_S
        waiting_in = {"PENDING", "APPROVED"} if expected.state == "CANCELLED" else {"PENDING"}
        while True:
            found = await self.seen(order)
            if found.state not in waiting_in or found == expected or time.monotonic() > deadline:
                return found
            await asyncio.sleep(LOOK_S)

    async def ended(self, *orders: Order) -> list[OrderOutcome]:
        """What became of each once nothing is left that could move it; whether that is right is for the evidence to say. The faults of
        the check stay."""
        found = await asyncio.gather(*(self._soon(order, PENDING_NO_MORE) for order in orders))
        if PENDING in found:
            await asyncio.to_thread(self._rest)
            found = await asyncio.gather(*(self.seen(order) for order in orders))
        return found

    def _rest(self) -> None:
        self.say("waiting until all stands still")
        with Watcher(self.stack) as watcher:
            quiescence.wait(watcher, quiescence.orders_of(self._customers))

    async def held(self, gate: Fault, order: Order) -> None:
        """Await that a closed gate holds the message about an order. Raises Failed when it was passed, or what should have come did not."""

        async def past() -> bool:
            return await self.seen(order) != PENDING

        try:
            await self.hit(gate, "held", past=past)
        except NotJudged as late:
            await self.heal_all()
            evidence = await self.evidence()
            evidence.require(I3, about=[order.customer_id])
            raise late from None

    async def answered(self, order: Order) -> None:
        """Await that customers has written its answer to an order; when it does not, the evidence will show."""
        query = "SELECT COUNT(*) FROM customer_db.message WHERE JSON_UNQUOTE(JSON_EXTRACT(payload, '$.orderId')) = %s"
        deadline = time.monotonic() + ANSWERED_S
        while time.monotonic() < deadline:
            ((answers,),) = await asyncio.to_thread(self.sql, query, str(order.id))
            if answers:
                return
            await asyncio.sleep(LOOK_S)

    async def released(self, order: Order) -> None:
        """Await that an order's credit is free again, or nothing is left that could free it; the evidence will show which."""
        query = "SELECT COUNT(*) FROM customer_db.customer_credit_reservations WHERE credit_reservations_key = %s"
        deadline = time.monotonic() + SOON_S
        while time.monotonic() < deadline:
            ((held,),) = await asyncio.to_thread(self.sql, query, order.id)
            if not held:
                return
            await asyncio.sleep(LOOK_S)
        await asyncio.to_thread(self._rest)

    async def evidence(self) -> Evidence:
        """Every store as of a moment at which all stands still, about all customers of this trial. Checks that want it at the same time
        share one reading, for which they wait until nobody does anything else."""
        return await self.meeting.come()

    async def _read_all(self) -> Evidence:
        self.say("waiting until all stands still")
        await self.heal_all()  # of a check that failed in the middle
        path = self.stack.directory / f"check.{len(self._open)}.duckdb"  # DuckDB takes the same path for the same database
        scenario = Scenario(self.requests, self._customers, (), self.seed, self._stalled(), since=self.began)
        try:
            connection = await asyncio.to_thread(collect, self.stack, path, scenario, tell=self.say)
        except OSError as error:
            raise NotJudged(f"The stores could not be read: {error}.", next_step="labkit status") from error
        self._open.append(connection)
        (parked,) = connection.execute("SELECT count(*) FROM dead_letters WHERE parked < ?", [environment.utc(self.began)]).fetchone() or (
            0,
        )
        evidence_of.forget_older(connection, self.began)
        evidence = Evidence(connection, self.requests, evidence_of.older(connection, parked))
        if evidence.older and not self.notes:
            self.notes.append(evidence.older)
        return evidence

    async def require(self, *invariants: Invariant, about: Iterable[int]) -> Evidence:
        """Collect, and see that they hold for these customers."""
        evidence = await self.evidence()
        evidence.require(*invariants, about=about)
        return evidence

    # what happened

    async def no_answer(self, row: dict[str, Any]) -> NoReturn:
        """A call that must succeed did not."""
        what = f"{row['method']} {row['path']}"
        how = "got no answer" if row["status"] is None else f"answered {row['status']}"
        details = contract.detail_of(row["answer"])
        raised = await self.raised(row) if row["status"] is not None and row["status"] >= 500 else []
        wrong = Explanation(
            f"{what} {how}{f': {details}' if details else ''}.",
            expected="200",
            found=str(row["status"] or "no answer"),
            because=tuple(raised),
            next_step=f"labkit logs {complaints.owner_of(row['path'])}" if raised else "",
        )
        await self.blamed(wrong, f"{what} {how}")

    async def raised(self, row: dict[str, Any]) -> list[Fact]:
        """The exception behind an answer with 500, from the service's log."""
        since = row["started"].replace(tzinfo=UTC).timestamp()
        return await asyncio.to_thread(complaints.about_request, self.stack, row["method"], row["path"], since)

    async def blamed(self, wrong: Explanation, what: str) -> NoReturn:
        """Raise why something did not happen: the machine stood in the way, a service ended by itself, or else this."""
        await asyncio.to_thread(attribution.blame, self.stack, self.began, self._stalled(), wrong, what)
        raise AssertionError

    def _stalled(self) -> list[environment.Event]:
        self._stalls.look()
        return list(self._stalls.found)

    def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """As committed now. Raises NotJudged when MySQL does not answer."""
        try:
            with sql.connected(self.stack.mysql) as cursor:
                cursor.execute(query, values)
                return [tuple(row) for row in cursor.fetchall()]
        except OSError as error:
            raise NotJudged(f"MySQL does not answer: {error}.", next_step="labkit status") from error


def answer_of(row: dict[str, Any]) -> Any:
    """The JSON of an answer, amounts as Decimal; text when it is not JSON."""
    return contract.answer_of(row["answer"])
