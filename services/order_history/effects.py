"""Effects in Redis: each message's change and the position after it in one Lua call, so that neither is ever without the other."""

import asyncio
import time
from collections.abc import Mapping, Sequence

from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from services.messaging.broker import Place
from services.messaging.consumer import Delivery, StartAgain, about_delivery, log_handled
from services.messaging.control import armed
from services.messaging.dead_letter import MAX_CAUSE
from services.messaging.failpoint import failpoint
from services.messaging.log import describe, log
from services.order_history.store import Step, ViewStore

RETRY_S = 0.1
armed.declare("view.before_write")


class ViewEffects:
    """The effects of the view's subscriber. Each handler is a function from the event to a ViewChange."""

    keeps_positions = True

    def __init__(self, store: ViewStore) -> None:
        self._store = store
        self._known: dict[Place, int] = {}

    async def apply(self, deliveries: Sequence[Delivery]) -> None:
        begin = time.time()
        known = dict(self._known)
        written: dict[Place, int] = {}
        last = {d.record.place: d for d in deliveries}
        steps = []
        for delivery, following in zip(deliveries, [*deliveries[1:], None], strict=True):
            change = delivery.reaction.handler(delivery.event) if delivery.reaction else None
            record = delivery.record
            if change is None and delivery is not last[record.place]:
                continue  # only a position, and a later one of its partition follows
            ends_record = following is None or following.record is not record
            steps.append(Step(record.place if ends_record else None, record.position + 1, known.get(record.place), change))
            if ends_record:
                known[record.place] = written[record.place] = record.position + 1
        if armed.points:
            await failpoint("view.before_write", about_delivery(self._store.subscriber, deliveries[0]))
        if -1 in await self._store.write(steps):
            raise StartAgain("the view's positions are not those that were written last: it was emptied or set back")
        self._known.update(written)
        log_handled(deliveries, begin)

    async def park(self, delivery: Delivery, cause: str) -> None:
        record = delivery.record
        details: dict[str, str | bytes] = {
            "channel": record.channel,
            "partition": str(record.partition),
            "position": str(record.position),
            "message_id": delivery.message.id if delivery.message else "",
            "cause": cause[-MAX_CAUSE:],
            "key": record.key or b"",
            "value": record.value or b"",
        }
        await self._store.park(record.place, record.position + 1, details)
        self._known[record.place] = record.position + 1

    def is_transient(self, error: BaseException) -> bool:
        if isinstance(error, ResponseError) and not isinstance(error, OutOfMemoryError):
            return str(error).startswith(("LOADING", "MISCONF", "READONLY", "BUSY"))
        return isinstance(error, RedisError | OSError | TimeoutError)

    async def start_positions(self, ends: Mapping[Place, int]) -> Mapping[Place, int]:
        """Go on after what the view holds. A position beyond the end belongs to a channel that was made anew, and is forgotten."""
        while True:
            try:
                stored = await self._store.positions()
                beyond = [place for place, end in ends.items() if stored.get(place, 0) > end]
                if beyond:
                    await self._store.forget(beyond)
                break
            except Exception as error:
                if not self.is_transient(error):
                    raise
                log("waiting for the view's positions", error=describe(error))
                await asyncio.sleep(RETRY_S)
        self._known = {place: stored[place] for place in ends if place in stored and place not in beyond}
        return dict(self._known)
