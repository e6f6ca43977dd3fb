"""A publisher that passes a failpoint after each acknowledged record."""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from services.workshop.armed import armed
from services.workshop.failpoint import failpoint
from services.workshop.fault import About

R = TypeVar("R")
R_contra = TypeVar("R_contra", contravariant=True)


class Publisher(Protocol[R_contra]):
    async def publish(self, records: Sequence[R_contra]) -> None: ...

    async def close(self) -> None: ...


class FailpointPublisher(Generic[R]):
    """Publishes records one by one while a fault is armed at its failpoint."""

    def __init__(self, publisher: Publisher[R], point: str, about: Callable[[R], About]) -> None:
        self._publisher = publisher
        self._point = point
        self._about = about

    async def publish(self, records: Sequence[R]) -> None:
        if self._point not in armed.points:
            await self._publisher.publish(records)
            return
        for record in records:
            await self._publisher.publish([record])
            await failpoint(self._point, self._about(record))

    async def close(self) -> None:
        await self._publisher.close()
