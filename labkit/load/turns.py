"""A load takes turns with the runs that judge the stack: it places no orders while a run is at work."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

LOOK_S = 0.05


class Turn(Protocol):
    """When a load may use the stack."""

    def wanted_by(self) -> str:
        """Return the run that wants the stack, or an empty text."""

    def give(self) -> None: ...

    def take(self) -> bool:
        """Take the stack back, unless a run wants it."""


class Turns:
    """Steps aside when a run wants the stack and no order is open, or after `patience_s`. `seconds` were spent aside, for `runs`."""

    def __init__(self, turn: Turn | None, has_open_orders: Callable[[], bool], patience_s: float) -> None:
        self.runs: list[str] = []
        self._turn, self._has_open_orders, self._patience_s = turn, has_open_orders, patience_s
        self._may_post = asyncio.Event()
        self._may_post.set()
        self._given = False
        self._since = self._before = 0.0

    @property
    def are_aside(self) -> bool:
        return not self._may_post.is_set()

    @property
    def seconds(self) -> float:
        return self._before + (time.perf_counter() - self._since if self.are_aside else 0.0)

    async def go_on(self, stopping: asyncio.Event) -> None:
        """Wait until orders may be placed, or until the load is stopped."""
        if self.are_aside:
            either = [asyncio.ensure_future(event.wait()) for event in (self._may_post, stopping)]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            for waiting in either:
                waiting.cancel()

    async def keep(self, on_return: Callable[[], None]) -> None:
        """Look for runs, without end. `on_return` is called when a run is over."""
        while self._turn is not None:
            await asyncio.sleep(LOOK_S)
            if not self.are_aside:
                if self._turn.wanted_by():
                    self._since = time.perf_counter()
                    self._may_post.clear()
            elif not self._given:
                if not self._has_open_orders() or time.perf_counter() > self._since + self._patience_s:
                    if run := self._turn.wanted_by():  # it writes its name a moment after it has taken its lock
                        self.runs.append(run)
                    self._turn.give()
                    self._given = True
            elif self._turn.take():
                self._given = False
                self._before = self.seconds
                on_return()
                self._may_post.set()
