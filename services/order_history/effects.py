"""Effects in Redis: one Lua call writes a message's change and the position after it, so one never exists without the other."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence

from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from services.log import describe, log
from services.messaging.brokers import Place, Position
from services.messaging.consumer import StartAgain
from services.messaging.dead_letter import beginning, stored_cause
from services.messaging.delivery import Delivery, about_delivery, in_hand, log_handled
from services.order_history.store import Step, ViewChange, ViewStore
from services.workshop.armed import armed
from services.workshop.failpoint import failpoint

RETRY_S = 0.1
SET_BACK = "the view's positions are not those that were written last: it was emptied or set back"
armed.declare("view.before_write")


def _runs(deliveries: Sequence[Delivery]) -> Iterator[list[Delivery]]:
    """Split deliveries into groups that can be written, or parked, in one call. The position after a record says that all its messages were
    processed, so the last message of several is written only after the others."""
    run: list[Delivery] = []
    for delivery in deliveries:
        if run and (run[0].undecodable is None) != (delivery.undecodable is None):
            yield run
            run = []
        run.append(delivery)
        if not delivery.ends_record:
            yield run
            run = []
    if run:
        yield run


def _step(delivery: Delivery, known: dict[Place, Position], change: ViewChange | None = None) -> Step:
    """Build a delivery's step and record its position in `known`."""
    record = delivery.record
    before = known.get(record.place)
    if not delivery.ends_record:
        return Step(None, record.next, before, change)
    known[record.place] = record.next
    return Step(record.place, record.next, before, change)


def dead_letter(delivery: Delivery, cause: str) -> dict[str, str | bytes]:
    record = delivery.record
    return {
        "channel": record.channel,
        "partition": str(record.partition),
        "position": str(record.position),
        "message_id": delivery.message.id if delivery.message else "",
        "cause": stored_cause(delivery, cause),
        "key": beginning(record.key) or b"",
        "value": beginning(record.value) or b"",
    }


class ViewEffects:
    """The effects of the view's subscriber. Each handler is a function from the event to a ViewChange."""

    def __init__(self, store: ViewStore) -> None:
        self._store = store
        self._known: dict[Place, Position] = {}

    async def apply(self, deliveries: Sequence[Delivery]) -> None:
        begin = time.time()
        if armed.points and deliveries[0].undecodable is None:
            await failpoint("view.before_write", about_delivery(self._store.subscriber, deliveries[0]))
        for run in _runs(deliveries):
            if run[0].undecodable is None:
                await self._write(run)
            else:
                await self._park([(delivery, delivery.undecodable or "") for delivery in run])
        log_handled([d for d in deliveries if d.undecodable is None], begin)

    async def _write(self, deliveries: Sequence[Delivery]) -> None:
        last = {d.record.place: d for d in deliveries}
        known = dict(self._known)
        steps = []
        for delivery in deliveries:
            change = None
            if delivery.reaction is not None:
                with in_hand(delivery):
                    change = delivery.reaction.handler(delivery.event)
            if change is None and delivery is not last[delivery.record.place]:
                continue  # a position alone; a later one of this partition follows
            steps.append(_step(delivery, known, change))
        self._note(await self._store.write(steps), deliveries, known)

    async def _park(self, parked: Sequence[tuple[Delivery, str]]) -> None:
        known = dict(self._known)
        steps = [(_step(delivery, known), dead_letter(delivery, cause)) for delivery, cause in parked]
        self._note(await self._store.park(steps), [delivery for delivery, _ in parked], known)

    def _note(self, answers: Sequence[int], taken: Sequence[Delivery], known: Mapping[Place, Position]) -> None:
        """Update the positions of these partitions only; other partitions are processed concurrently."""
        if -1 in answers:
            raise StartAgain(SET_BACK)
        self._known.update({d.record.place: known[d.record.place] for d in taken if d.record.place in known})

    async def park(self, delivery: Delivery, cause: str) -> None:
        await self._park([(delivery, cause)])

    async def check(self) -> None:
        """Check that the view still exists. Otherwise a view that is emptied while no event comes would stay empty until the next event."""
        if not self._known:
            return
        try:
            stored = await self._store.positions()
        except Exception as error:
            if not self.is_transient(error):
                raise
            return
        if any(stored.get(place) != position for place, position in self._known.items()):
            raise StartAgain(SET_BACK)

    def is_transient(self, error: BaseException) -> bool:
        if isinstance(error, ResponseError) and not isinstance(error, OutOfMemoryError):
            return str(error).startswith(("LOADING", "MISCONF", "READONLY", "BUSY"))
        return isinstance(error, RedisError | OSError | TimeoutError)

    async def start_positions(self, ends: Mapping[Place, Position], identities: Mapping[str, str]) -> Mapping[Place, Position]:
        """Resume after the position that the view holds. The position of a channel that was deleted and created again is dropped: the
        channel has a new identity, or the position is beyond its end."""
        while True:
            try:
                stored = await self._store.positions()
                before = await self._store.identities()
                beyond = [place for place, end in ends.items() if place in stored and stored[place] > end]
                beyond += [place for place in stored if before.get(place[0]) not in (None, identities.get(place[0]))]
                if beyond:
                    await self._store.forget(beyond)
                if before != identities:
                    await self._store.identify(identities)
                break
            except Exception as error:
                if not self.is_transient(error):
                    raise
                log("waiting for the view's positions", error=describe(error))
                await asyncio.sleep(RETRY_S)
        self._known = {place: stored[place] for place in ends if place in stored and place not in beyond}
        return dict(self._known)
