"""The API that scenarios are written against: bring a fault about, act, await its hit, heal it, and leave nothing behind.

    async with scenario(stack, "labkit lab 4 check", seed=7) as run:
        crash = await run.fault(make.crash("orders", "order.create.after_commit_before_publish"))
        order = await run.order(ada, "12.34")           # its outcome is unknown: the service ended over it
        await run.fired(crash)                          # its own record, and how its parent saw it end
        await run.heal(crash)                           # starts it again
        await run.until("order is approved", look, is_enough)

Every wait is bounded; its error says what was awaited and what was seen instead. On leaving, by whatever way, the scenario's faults are
healed, the last one first; if its process is killed, the next labkit command heals them.
"""

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, TypeVar

from labkit.errors import ExitCode, UserError
from labkit.faults import components, control, engine
from labkit.faults.engine import Order as FaultOrder
from labkit.faults.engine import Wanted
from labkit.faults.ledger import SCENARIO, Fault, Ledger, Owner, this_process
from labkit.lab.check import Failed, NotJudged
from labkit.lab.client import Client, PlacedOrder
from labkit.stack import sql, starts
from labkit.stack.model import Stack

T = TypeVar("T")

WITHIN_S = 10.0
LOOK_S = 0.02
RUN, LOAD = "run.lock", "load.lock"  # in the stack's directory


class Run(Client):
    """One scenario on one stack, with the REST calls that it makes (see Client)."""

    def __init__(self, stack: Stack, command: str, seed: int, *, owner: Owner | None = None) -> None:
        super().__init__(stack, seed)
        self._owner = owner or this_process(SCENARIO, command)
        self._not_back: dict[str, str] = {}

    # faults

    async def fault(self, wanted: FaultOrder | Wanted, *, seconds: float | None = None) -> Fault:
        """Bring it about; returns when it is there (armed: when every target has acknowledged). Raises NotJudged when it cannot be."""
        try:
            return await asyncio.to_thread(self._apply, wanted, seconds)
        except UserError as error:
            raise NotJudged(error.message, next_step=error.next_step or "labkit status") from error

    def _apply(self, wanted: FaultOrder | Wanted, seconds: float | None) -> Fault:
        order = wanted if isinstance(wanted, FaultOrder) else wanted(self.stack)
        return engine.apply(self.stack, order, self._owner, seconds=seconds)

    async def heal(self, fault: Fault) -> Fault:
        """Undo it, and see that nothing of it is left. Raises NotJudged when something is."""
        try:
            healed = await asyncio.to_thread(engine.heal, self.stack, fault)
        except UserError as error:
            raise NotJudged(error.message, next_step="labkit heal --all") from error
        self._note_not_back([healed])
        await self.refuse_not_back()
        return healed

    async def heal_all(self) -> None:
        """Everything of this scenario, the last one first; also what could neither be brought about nor taken back at that moment.

        Raises UserError with what is left."""
        healed = await asyncio.to_thread(engine.heal_all, self.stack, lambda fault: fault.owner == self._owner, how="the scenario's end")
        self._note_not_back(healed)

    def _note_not_back(self, healed: Sequence[Fault]) -> None:
        for fault in healed:
            self._not_back |= fault.facts.get("not_ready") or {}
            if fault.facts.get("port_taken"):
                self._not_back[fault.target] = str(fault.facts["ended_again"])

    async def refuse_not_back(self) -> None:
        """Raises NotJudged when labkit itself has taken a component away and could not bring it back: what is seen then says nothing about
        the code."""
        if self._not_back:
            self._not_back = await asyncio.to_thread(components.still_not_back, self.stack, self._not_back)
        if self._not_back:
            what = "; ".join(f"{name}: {why}" for name, why in self._not_back.items())
            next_step = f"labkit up; {starts.VARIABLE}=300 gives it more time"
            raise NotJudged(f"labkit has not brought back what it took away: {what}.", next_step)

    @asynccontextmanager
    async def while_there(self, order: FaultOrder | Wanted) -> AsyncIterator[Fault]:
        """Have a fault for the length of a block; afterwards `downtime` tells the binlog positions of it."""
        made = await self.fault(order)
        try:
            yield made
        finally:
            await self.heal(made)

    def downtime(self, fault: Fault) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """The binlog positions between which a component was down; None where MySQL could not be asked."""
        facts = self._now(fault).facts
        return facts.get("binlog_at_stop"), facts.get("binlog_at_start")

    def known(self, fault_id: str) -> Fault:
        """A fault as it is now."""
        found = Ledger(self.stack.directory).get(fault_id)
        assert found is not None, f"there is no fault {fault_id}"
        return found

    def _now(self, fault: Fault) -> Fault:
        return self.known(fault.id)

    def hits(self, fault: Fault, *what: str) -> list[dict[str, Any]]:
        """What the services wrote about it so far."""
        return [hit for hit in control.hits(self.stack.directory, fault) if not what or hit["what"] in what]

    async def hit(
        self,
        fault: Fault,
        what: str,
        *,
        count: int = 1,
        within_s: float = WITHIN_S,
        past: Callable[[], Awaitable[bool]] | None = None,
    ) -> list[dict[str, Any]]:
        """Await that a service wrote this of it: `held`, `crash`, `met`, `taken` … `past` tells whether what should have hit it is done
        already: then the code does not pass that place any more, which is Failed. Raises NotJudged when the time is up."""
        deadline = time.monotonic() + within_s
        while True:
            done = past is not None and await past()
            found = self.hits(fault, what)
            if len(found) >= count:
                return found
            if done:
                raise self._missed(fault)
            if time.monotonic() > deadline:
                seen = ", ".join(f"{hit['what']} in {hit['component']}" for hit in self.hits(fault)) or "nothing of it"
                sentence = f"Waited {within_s:g} s for {what!r} of fault {fault.id} ({fault.said}); there was {seen}."
                raise NotJudged(sentence, next_step="labkit fault status")
            await asyncio.sleep(LOOK_S)

    def _missed(self, fault: Fault) -> Failed:
        entry = fault.settings["armed"][0]
        place = entry.get("point") or f"the subscriber {entry.get('subscriber')}"
        return Failed(
            f"{fault.target} no longer passes {place}.",
            expected=f"{fault.said}",
            found="what should have passed it is done, and it was not passed",
            next_step="labkit fault list shows the failpoints of the services as they run",
        )

    async def fired(self, fault: Fault, *, within_s: float = WITHIN_S) -> Fault:
        """Await that it fired, proven twice. Raises NotJudged with the proof that is missing."""
        deadline = time.monotonic() + within_s
        while True:
            now = self._now(fault)
            proof = await asyncio.to_thread(engine.proof, self.stack, now)
            if proof.fired:
                return now
            if time.monotonic() > deadline:
                missing = "the service did not tell of it" if proof.service is None else f"{proof.service}, and nothing else shows it"
                raise NotJudged(
                    f"Fault {fault.id} ({fault.said}) did not fire within {within_s:g} s: {missing}.", next_step="labkit fault status"
                )
            await asyncio.sleep(LOOK_S)

    # waiting

    async def order_published(self, order: PlacedOrder, event: str, *, within_s: float = WITHIN_S) -> str:
        """Await that an event about an order is in an outbox and the relay has published it. Returns its message id. Raises NotJudged."""
        found = await self.until(
            f"{event} of order {order.id} is published",
            lambda: asyncio.to_thread(self._published, order.id, f"%.{event}Event"),
            lambda seen: bool(seen),
            within_s=within_s,
        )
        return str(found[0])

    def _published(self, order_id: int | None, event: str) -> list[str]:
        query = " UNION ALL ".join(
            f"SELECT id FROM {schema}.message WHERE published = 1 AND JSON_UNQUOTE(JSON_EXTRACT(headers, '$.\"event-type\"')) LIKE %s"
            f" AND JSON_UNQUOTE(JSON_EXTRACT({where})) = %s"
            for schema, where in (("order_db", "headers, '$.\"event-aggregate-id\"'"), ("customer_db", "payload, '$.orderId'"))
        )
        with sql.connected(self.stack.mysql) as cursor:
            cursor.execute(query, [event, str(order_id)] * 2)
            return [str(row[0]) for row in cursor.fetchall()]

    async def until(self, what: str, look: Callable[[], Awaitable[T]], is_enough: Callable[[T], bool], *, within_s: float = WITHIN_S) -> T:
        """Look until it is enough. Raises NotJudged with what was awaited and what was seen last."""
        deadline = time.monotonic() + within_s
        while True:
            seen = await look()
            if is_enough(seen):
                return seen
            if time.monotonic() > deadline:
                raise NotJudged(f"Waited {within_s:g} s until {what}; what was seen last is {seen!r}.", next_step="labkit status")
            await asyncio.sleep(LOOK_S)


R = TypeVar("R", bound=Run)


@asynccontextmanager
async def scenario(stack: Stack, command: str, *, seed: int) -> AsyncIterator[Run]:
    """One run on this stack; `command` is what others are told that is at work. Left by an error, by Ctrl-C or by SIGTERM, its faults are
    healed all the same. Raises UserError when another run is at work on the stack."""
    async with at_work(stack, command, lambda: Run(stack, command, seed)) as run:
        yield run


@asynccontextmanager
async def at_work(stack: Stack, command: str, make: Callable[[], R]) -> AsyncIterator[R]:
    """The same for a kind of Run of one's own."""
    with one_run(stack, command), _ended_by_sigterm():
        run = make()
        try:
            yield run
        finally:
            await _shielded(run.heal_all())
            await run.close()


async def _shielded(work: Awaitable[None]) -> None:
    """A second Ctrl-C does not stop the healing."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()


@contextmanager
def one_run(stack: Stack, command: str) -> Iterator[None]:
    """One check or chaos run on a stack at a time, and none beside a load. Raises UserError that says what is at work."""
    refuse_beside_load(stack)
    with _locked(stack.directory / RUN, command) as holder:
        if holder is not None:
            raise UserError(f"{holder} is at work on the stack {stack.name!r}.", "wait until it is done, or stop it")
        yield


@contextmanager
def loading(stack: Stack, command: str) -> Iterator[None]:
    """A load is on the stack; there may be several. Raises UserError while a check or a chaos run is at work, which it would spoil."""
    if holder := _holder(stack.directory / RUN):
        message = f"{holder} is at work on the stack {stack.name!r}, and beside a load it could judge nothing."
        raise UserError(message, "wait until it is done, or stop it", exit_code=ExitCode.UNKNOWN)
    with _locked(stack.directory / LOAD, command, shared=True):
        yield


def refuse_beside_load(stack: Stack) -> None:
    """Nothing comes to rest while orders are being placed. Raises UserError that says who does that."""
    if holder := _holder(stack.directory / LOAD):
        message = (
            f"{holder} places orders on the stack {stack.name!r}: nothing comes to rest, and so nothing can be judged, before it has ended."
        )
        raise UserError(message, "end it (Ctrl-C where it runs) or wait for it, then the same again", exit_code=ExitCode.UNKNOWN)


@contextmanager
def _locked(path: Path, command: str, *, shared: bool = False) -> Iterator[str | None]:
    """Held by this process, or who holds it. The kernel lets go of it when a process ends, however it does."""
    with path.open("a+") as file:
        if shared:
            fcntl.flock(file, fcntl.LOCK_SH)  # held against it for no longer than a look takes
        elif not _takes(file) and not _takes(file, again_after_s=LOOK_S):  # a look may have been in the way
            file.seek(0)
            yield file.read().strip() or "another run"
            return
        file.truncate(0)
        file.write(f"{command} (pid {os.getpid()}, since {time.strftime('%H:%M:%S')})")
        file.flush()
        yield None
        if not shared:  # who shares it may be there still
            file.truncate(0)


def _holder(path: Path) -> str | None:
    if not path.exists():
        return None
    with path.open("a+") as file:
        if _takes(file):
            return None
        file.seek(0)
        return file.read().strip() or "another run"


def _takes(file: TextIO, *, again_after_s: float = 0.0) -> bool:
    time.sleep(again_after_s)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    try:
        if task is not None:
            loop.add_signal_handler(signal.SIGTERM, task.cancel)
        yield
    finally:
        with suppress(ValueError, RuntimeError):
            loop.remove_signal_handler(signal.SIGTERM)
