"""Letting the events of the view pass one by one, and knowing how far it has come, by its own positions and by what it was seen to take."""

import asyncio
import time

from labkit.explanation import Explanation
from labkit.faults import places
from labkit.faults.engine import Order as FaultOrder
from labkit.faults.ledger import Fault
from labkit.faults.targets import channel, subscription
from labkit.lab import records
from labkit.lab.check import Failed
from labkit.lab.trial import Trial

VIEW = "order-history"
WHILE_DOWN, HANGS = "it takes its events while customers, orders and MySQL are down", "it hangs, or needs one of those who are down."
BLOCKED_S, LOOK_S = 10.0, 0.02


class _Standstill:
    """Has the view come no further for BLOCKED_S? One that is built anew comes by all that was there before, and takes its time."""

    def __init__(self) -> None:
        self._seen: str | None = None
        self._moved = time.monotonic()

    def reached(self, behind: str | None) -> bool:
        if behind is not None and behind != self._seen:
            self._seen, self._moved = behind, time.monotonic()
        return time.monotonic() - self._moved > BLOCKED_S


class Passage:
    def __init__(self, trial: Trial) -> None:
        self.trial = trial

    async def plant(self, copy: FaultOrder, what: str) -> None:
        """Publish the copy of a message; returns when the view has taken it."""
        fault = await self.trial.fault(copy)
        published, standstill = time.monotonic(), _Standstill()
        while not self.trial.hits(fault, "taken"):
            if standstill.reached(await asyncio.to_thread(self._behind)):
                await self._does_not_go_on(f"it has not taken {what}, which was published {time.monotonic() - published:.0f} s ago")
            await asyncio.sleep(LOOK_S)
        await self.trial.heal(fault)

    async def hit(self, gate: Fault) -> None:
        """The gate holds its message: everything before it in its partition is done."""
        if not await self.holds(gate):
            raise not_held(gate)

    async def holds(self, gate: Fault, expected: str = WHILE_DOWN, so: str = HANGS) -> bool:
        """Await that a gate holds its message; False when the view has taken everything there is and was not held. Raises Failed with what
        was expected, and what follows, when it does not go on."""
        standstill = _Standstill()
        while not self.trial.hits(gate, "held"):
            behind = await asyncio.to_thread(self._behind)
            if behind is None and not self.trial.hits(gate, "held"):
                return False
            if standstill.reached(behind):
                await self._does_not_go_on(behind or f"it was never held ({gate.said})", expected, so)
            await asyncio.sleep(LOOK_S)
        return True

    async def open(self, *gates: Fault) -> None:
        for gate in gates:
            await self.trial.heal(gate)

    async def caught_up(self, only: str | None = None, expected: str = WHILE_DOWN, so: str = HANGS) -> None:
        """The view has taken all that there is, of the channel `only` if given. Raises Failed with what was expected, and what
        follows, when it does not go on."""
        standstill = _Standstill()
        while (behind := await asyncio.to_thread(self._behind, only)) is not None:
            if standstill.reached(behind):
                await self._does_not_go_on(behind, expected, so)
            await asyncio.sleep(LOOK_S)

    def _behind(self, only: str | None = None) -> str | None:
        profile = self.trial.stack.profile
        view = subscription(profile, VIEW)
        wanted = profile.taken_by(view.subscriber) if only is None else {channel(profile, only)}
        for (topic, partition), end in records.ends(self.trial.stack).items():
            if topic in wanted:
                taken = places.taken_up_to(self.trial.stack, view, topic, partition)
                if taken is None:  # it has written down no position since its store was emptied
                    taken = records.starts(self.trial.stack)[topic, partition]
                if taken < end:
                    return f"it stands at offset {taken} of {profile.short(topic)}, partition {partition}, {end - taken} behind"
        return None

    async def _does_not_go_on(self, how: str, expected: str = WHILE_DOWN, so: str = HANGS) -> None:
        wrong = Explanation(
            f"order-history does not go on: {how}.",
            expected=expected,
            found=how,
            so=so,
            next_step="labkit logs order-history",
        )
        await self.trial.blamed(wrong, f"order-history does not go on: {how}")


def not_held(gate: Fault) -> Failed:
    return Failed(
        "order-history no longer passes the place where its messages can be held.",
        expected=gate.said,
        found="it has taken everything, and was not held",
        next_step="labkit fault list shows what can be armed in the services as they run",
    )
