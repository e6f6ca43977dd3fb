"""Lanes: one task for each partition, so that a waiting message blocks only its own partition."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from services.messaging.brokers import Place, Record

FULL = 1_000  # records waiting in one lane; above this, its partition is put on hold
AT_ONCE = 200

Take = Callable[[Sequence[Record]], Awaitable[int]]
"""Processes records of one partition, starting with the first. Returns how many it processed; 0 when stopped."""


class Lanes:
    def __init__(self, take: Take, note: Callable[[Sequence[Record]], None]) -> None:
        self._take = take
        self._note = note
        self._waiting: dict[Place, deque[Record]] = {}
        self._tasks: dict[Place, asyncio.Task[None]] = {}

    @property
    def busy(self) -> bool:
        """Whether any record is still in a lane. Raises the error of a failed lane."""
        for place, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[place]
                task.result()
        return bool(self._tasks)

    @property
    def full(self) -> list[Place]:
        return [place for place, waiting in self._waiting.items() if len(waiting) >= FULL]

    def put(self, records: Sequence[Record]) -> None:
        for record in records:
            self._waiting.setdefault(record.place, deque()).append(record)
        for place, waiting in self._waiting.items():
            if waiting and (place not in self._tasks or self._tasks[place].done()):
                if place in self._tasks:
                    self._tasks[place].result()
                self._tasks[place] = asyncio.create_task(self._work(waiting))

    async def _work(self, waiting: deque[Record]) -> None:
        while waiting:
            head = [waiting[i] for i in range(min(len(waiting), AT_ONCE))]
            taken = await self._take(head)
            if taken == 0:
                waiting.clear()
                return
            self._note(head[:taken])
            for _ in range(taken):
                waiting.popleft()

    async def finish(self) -> None:
        """Wait until each lane has finished or abandoned its current records. Raises the error of a failed lane."""
        if self._tasks:
            await asyncio.gather(*self._tasks.values())

    def cancel(self) -> None:
        for task in self._tasks.values():
            task.cancel()
