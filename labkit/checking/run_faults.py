"""The faults of one run: inject them, wait until they fire, heal them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from labkit.checking.checks import Failed, NotJudged
from labkit.checking.waiting import WITHIN_S, pause
from labkit.errors import UserError
from labkit.faults import components, control, engine
from labkit.faults.engine import FaultSpec, Wanted
from labkit.faults.ledger import Fault, Ledger, Owner
from labkit.stack import start_times
from labkit.stack.model import Stack


class RunFaults:
    """The faults of one run. The ledger records `owner`: if its process is killed, the next labkit command heals its faults."""

    def __init__(self, stack: Stack, owner: Owner) -> None:
        self._stack = stack
        self._owner = owner
        self._not_recovered: dict[str, str] = {}

    # inject and heal

    async def apply(self, wanted: FaultSpec | Wanted, *, seconds: float | None = None) -> Fault:
        """Inject a fault and return once it is in place (an armed fault: once every target has acknowledged). Raises NotJudged if it
        fails."""
        try:
            return await asyncio.to_thread(self._apply, wanted, seconds)
        except UserError as error:
            raise NotJudged(error.message, next_step=error.next_step or "labkit status") from error

    def _apply(self, wanted: FaultSpec | Wanted, seconds: float | None) -> Fault:
        order = wanted if isinstance(wanted, FaultSpec) else wanted(self._stack)
        return engine.apply(self._stack, order, self._owner, seconds=seconds)

    async def heal(self, fault: Fault) -> Fault:
        """Undo a fault and verify that nothing of it is left. Raises NotJudged if something is."""
        try:
            healed = await asyncio.to_thread(engine.heal, self._stack, fault)
        except UserError as error:
            raise NotJudged(error.message, next_step="labkit heal --all") from error
        self._note_recovery([healed])
        await self.require_recovery()
        return healed

    async def heal_all(self) -> None:
        """Heal every fault of this run, the most recent first, including faults that earlier could be neither injected nor undone.
        Raises UserError with what is left."""
        healed = await asyncio.to_thread(engine.heal_all, self._stack, lambda fault: fault.owner == self._owner, how="the scenario's end")
        self._note_recovery(healed)

    @asynccontextmanager
    async def during(self, wanted: FaultSpec | Wanted) -> AsyncIterator[Fault]:
        """Keep a fault in place for the length of a block. Afterwards, `downtime` returns its binlog positions."""
        made = await self.apply(wanted)
        try:
            yield made
        finally:
            await self.heal(made)

    def _note_recovery(self, healed: Sequence[Fault]) -> None:
        for fault in healed:
            self._not_recovered |= fault.facts.get("not_ready") or {}
            if fault.facts.get("port_taken"):
                self._not_recovered[fault.target] = str(fault.facts["ended_again"])

    async def require_recovery(self) -> None:
        """Raise NotJudged if labkit stopped a component and could not bring it back: what happens then says nothing about the code."""
        if self._not_recovered:
            self._not_recovered = await asyncio.to_thread(components.still_not_back, self._stack, self._not_recovered)
        if self._not_recovered:
            what = "; ".join(f"{name}: {why}" for name, why in self._not_recovered.items())
            next_step = f"labkit up; {start_times.VARIABLE}=300 gives it more time"
            raise NotJudged(f"labkit has not restored what it stopped: {what}.", next_step)

    # observe

    def current(self, fault: Fault) -> Fault:
        """Return the fault in its current state in the ledger."""
        found = Ledger(self._stack.directory).get(fault.id)
        assert found is not None, f"there is no fault {fault.id}"
        return found

    def downtime(self, fault: Fault) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Return the binlog positions between which a component was down, each None if the database could not be asked."""
        facts = self.current(fault).facts
        return facts.get("binlog_at_stop"), facts.get("binlog_at_start")

    def hits(self, fault: Fault, *what: str) -> list[dict[str, Any]]:
        """Return what the services have recorded about the fault so far."""
        return [hit for hit in control.hits(self._stack.directory, fault) if not what or hit["what"] in what]

    async def hit(
        self,
        fault: Fault,
        what: str,
        *,
        count: int = 1,
        within_s: float = WITHIN_S,
        past: Callable[[], Awaitable[bool]] | None = None,
    ) -> list[dict[str, Any]]:
        """Wait until a service records an event of the fault: `held`, `crash`, `met`, `taken` … `past` returns whether the work that the
        fault should have hit is already done. If so, the code no longer passes that place: raises Failed. Raises NotJudged on
        time-out."""
        began = time.monotonic()
        while True:
            done = past is not None and await past()
            found = self.hits(fault, what)
            if len(found) >= count:
                return found
            if done:
                raise _not_passed(fault)
            if time.monotonic() > began + within_s:
                seen = ", ".join(f"{hit['what']} in {hit['component']}" for hit in self.hits(fault)) or "no sign of it"
                sentence = f"Waited {within_s:g} s for {what!r} of fault {fault.id} ({fault.said}); there was {seen}."
                raise NotJudged(sentence, next_step="labkit fault status")
            await pause(began)

    async def fired(self, fault: Fault, *, within_s: float = WITHIN_S) -> Fault:
        """Wait until the fault has fired, with two independent proofs. Raises NotJudged with the missing proof."""
        began = time.monotonic()
        while True:
            now = self.current(fault)
            proof = await asyncio.to_thread(engine.proof, self._stack, now)
            if proof.fired:
                return now
            if time.monotonic() > began + within_s:
                missing = "the service did not report it" if proof.service is None else f"{proof.service}, and nothing else shows it"
                sentence = f"Fault {fault.id} ({fault.said}) did not fire within {within_s:g} s: {missing}."
                raise NotJudged(sentence, next_step="labkit fault status")
            await pause(began)


def _not_passed(fault: Fault) -> Failed:
    entry = fault.settings["armed"][0]
    place = entry.get("point") or f"the subscriber {entry.get('subscriber')}"
    return Failed(
        f"{fault.target} no longer passes {place}.",
        expected=f"{fault.said}",
        found="the work that should have passed it is done, but it was not passed",
        next_step="labkit fault list shows the failpoints of the services as they run",
    )
