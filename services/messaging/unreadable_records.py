"""The parking lot: its own task parks records that are not messages, so that thousands of them in a row delay no message.

Other messages may overtake them, because nothing depends on a record without an effect. Acknowledgements stay before the first record still
waiting here; after a crash it is delivered again.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from services.messaging.brokers import Place, Position
from services.messaging.delivery import Delivery

AT_ONCE = 200
FULL, FULL_BYTES = 20_000, 64_000_000

Park = Callable[[Sequence[Delivery]], Awaitable[bool]]
"""Parks the deliveries. Returns False when stopped first."""


class ParkingLot:
    def __init__(self, park: Park) -> None:
        self._park = park
        self._waiting: deque[Delivery] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Add deliveries to park. Raises the error of a failed parking task."""
        self.look()
        self._waiting.extend(deliveries)
        self._bytes += sum(map(_size, deliveries))
        if self._waiting and self._task is None:
            self._task = asyncio.create_task(self._work())

    def look(self) -> None:
        """Raises the error of a failed parking task."""
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            task.result()

    @property
    def full(self) -> bool:
        return len(self._waiting) > FULL or self._bytes > FULL_BYTES

    def first(self) -> dict[Place, Position]:
        """The position of the first waiting record in each partition."""
        found: dict[Place, Position] = {}
        for delivery in self._waiting:
            found.setdefault(delivery.record.place, delivery.record.position)
        return found

    async def _work(self) -> None:
        while self._waiting:
            some = [self._waiting[n] for n in range(min(len(self._waiting), AT_ONCE))]
            if not await self._park(some):
                return
            for _ in some:
                self._bytes -= _size(self._waiting.popleft())

    async def room(self) -> None:
        """Wait until there is room, or the task has ended."""
        while self.full and self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=0.01)

    async def finish(self) -> None:
        if self._task is not None:
            await self._task

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


def _size(delivery: Delivery) -> int:
    return len(delivery.record.value or b"") + len(delivery.record.key or b"")
