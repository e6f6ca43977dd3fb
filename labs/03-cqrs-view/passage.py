"""Lets the view's events pass one by one, and follows its progress by its positions and by the messages that it was seen to take."""

import asyncio
import time

from labkit.checking import Explanation, Failed, Fault, FaultSpec, Trial

VIEW = "order-history"
WHILE_DOWN, HANGS = "it takes its events while customers, orders and MySQL are down", "it hangs, or needs a component that is down."
BLOCKED_S, LOOK_S = 10.0, 0.02


class _Standstill:
    """Detects that the view has made no progress for BLOCKED_S. A view that is rebuilding reads all earlier events first, which takes
    time."""

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

    async def plant(self, copy: FaultSpec, what: str) -> None:
        """Publish a copy of a message, and return when the view has taken it."""
        fault = await self.trial.faults.apply(copy)
        published, standstill = time.monotonic(), _Standstill()
        while not self.trial.faults.hits(fault, "taken"):
            if standstill.reached(await self.trial.broker.behind(VIEW)):
                await self._does_not_go_on(f"it has not taken {what}, which was published {time.monotonic() - published:.0f} s ago")
            await asyncio.sleep(LOOK_S)
        await self.trial.faults.heal(fault)

    async def hit(self, gate: Fault) -> None:
        """Require that the gate holds its message: everything before it in its partition is then done."""
        if not await self.holds(gate):
            raise not_held(gate)

    async def holds(self, gate: Fault, expected: str = WHILE_DOWN, so: str = HANGS) -> bool:
        """Wait until a gate holds its message. Return False if the view has taken everything and was not held. Raises Failed with
        `expected` and `so` if the view makes no progress."""
        standstill = _Standstill()
        while not self.trial.faults.hits(gate, "held"):
            behind = await self.trial.broker.behind(VIEW)
            if behind is None and not self.trial.faults.hits(gate, "held"):
                return False
            if standstill.reached(behind):
                await self._does_not_go_on(behind or f"it was never held ({gate.said})", expected, so)
            await asyncio.sleep(LOOK_S)
        return True

    async def open(self, *gates: Fault) -> None:
        for gate in gates:
            await self.trial.faults.heal(gate)

    async def caught_up(self, only: str | None = None, expected: str = WHILE_DOWN, so: str = HANGS) -> None:
        """Wait until the view has taken everything, in the channel `only` if given. Raises Failed with `expected` and `so` if it makes
        no progress."""
        standstill = _Standstill()
        while (behind := await self.trial.broker.behind(VIEW, only)) is not None:
            if standstill.reached(behind):
                await self._does_not_go_on(behind, expected, so)
            await asyncio.sleep(LOOK_S)

    async def _does_not_go_on(self, how: str, expected: str = WHILE_DOWN, so: str = HANGS) -> None:
        wrong = Explanation(
            f"order-history makes no progress: {how}.",
            expected=expected,
            found=how,
            so=so,
            next_step="labkit logs order-history",
        )
        await self.trial.attribution.blame(wrong, f"order-history makes no progress: {how}")


def not_held(gate: Fault) -> Failed:
    return Failed(
        "order-history no longer passes the place where its messages can be held.",
        expected=gate.said,
        found="it has taken everything, and was not held",
        next_step="labkit fault list shows what can be armed in the services as they run",
    )
