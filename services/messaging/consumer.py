"""The consumer processes the records of a subscriber's channels in order. No single record stops it.

A polled batch is processed in one transaction. Records that are not messages are parked, in parallel where possible
(unreadable_records.py). While a fault is armed for the subscriber, or when a batch cannot be processed as a unit, each partition gets its
own task (see lanes.py), so a failing message delays only its own partition. A message that still fails after a few tries is parked with its
cause. Errors that are not about the message (the database or the broker is unavailable, a lock timed out) are retried for ever and park
nothing.
"""

import asyncio
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from services.log import describe, log, log_many
from services.messaging.acknowledger import Acknowledger
from services.messaging.brokers import Broker, BrokerUnavailable, Receiver, Record, StartPositions
from services.messaging.dead_letter import last_line
from services.messaging.delivery import Delivery, about_delivery, decode, place_of
from services.messaging.events import EventHandlers
from services.messaging.lanes import Lanes
from services.messaging.message import storable
from services.messaging.unreadable_records import ParkingLot
from services.workshop import gate
from services.workshop.armed import armed
from services.workshop.failpoint import failpoint

BATCH = 200
BUSY, LINGER_S = 3, 0.010  # after a batch this large, let records gather: more latency for each, far less work in total
TRIES = 3
BACKOFF_S = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
REJOIN_S = 0.05
HOPELESS_S = 60.0  # after a failure that retries did not cure, the same failure is retried without a pause for this long
IDLE_WAIT_MS = 100  # also the longest delay of a clean stop
BEHIND_WAIT_MS = 50  # while positions await acknowledgement: how long without records counts as idle
CHECK_EVERY_S = 1.0


Report = Callable[[bool, str], None]
"""Records whether the subscriber has its partitions, and if not, why."""


class Effects(Protocol):
    """The store of the effects of a subscriber's messages. Calls may overlap, but never for the same partition."""

    async def apply(self, deliveries: Sequence[Delivery]) -> None:
        """Process these messages as a unit: either all or none. A message that was not processed before has its effect exactly once; an
        undecodable message is parked. Raises what a handler raises."""

    async def park(self, delivery: Delivery, cause: str) -> None:
        """Store a message that was given up, with its bytes and the cause. Parking it again changes nothing."""

    async def check(self) -> None:
        """Called at intervals while no records arrive. Raises StartAgain when the stored effects have disappeared."""

    def is_transient(self, error: BaseException) -> bool:
        """Returns whether this error is unrelated to the message."""

    @property
    def start_positions(self) -> StartPositions | None:
        """None when the subscriber starts after the last acknowledged position."""


class SeveralFailed(Exception):
    """Raised by Effects when a batch must be processed message by message. It does not mean that a message failed."""


class StartAgain(Exception):
    """Raised by Effects when the stored positions are no longer those of this consumer. The consumer joins again and reads from the stored
    positions."""


armed.declare("consumer.after_commit_before_ack")


class Consumer:
    def __init__(self, subscriber: str, handlers: EventHandlers, effects: Effects, broker: Broker, report: Report | None = None) -> None:
        self._subscriber = subscriber
        self._handlers = handlers
        self._effects = effects
        self._broker = broker
        self._report = report or (lambda *_: None)
        self._stopping = asyncio.Event()
        self._hopeless: dict[tuple[str, str], float] = {}

    def stop(self) -> None:
        """Finish the current batch, acknowledge it, and return from `run`."""
        self._stopping.set()

    async def run(self) -> None:
        """Consume until stopped."""
        failures, pause_s = 0, 0.0
        while not self._stopping.is_set():
            receiver: Receiver | None = None
            try:
                receiver = await self._join()
                failures = 0
                await self._consume(receiver)
            except StartAgain as reason:
                log("rejoining", subscriber=self._subscriber, reason=str(reason))
            except Exception as error:
                # No error ends the consumer: it logs the error, joins again and receives the same records again.
                self._report(False, describe(error))
                pause_s = REJOIN_S if isinstance(error, BrokerUnavailable) else BACKOFF_S[-1]
                if failures == 0:
                    stack = None if isinstance(error, BrokerUnavailable) else traceback.format_exc()
                    log("consumer interrupted", subscriber=self._subscriber, error=describe(error), again_in=pause_s, traceback=stack)
                failures += 1
            finally:
                if receiver is not None:
                    await receiver.close()
            if failures:
                await self._pause_s(pause_s)

    async def _join(self) -> Receiver:
        return await self._broker.receiver(self._subscriber, self._handlers.channels, self._effects.start_positions)

    async def _consume(self, receiver: Receiver) -> None:
        acknowledger = Acknowledger(receiver)
        lanes = Lanes(self._take_in_lane, acknowledger.note)
        lot = ParkingLot(self._take)
        checked = time.monotonic()
        try:
            while not self._stopping.is_set():
                records = await receiver.receive(wait_ms=BEHIND_WAIT_MS if acknowledger.is_behind else IDLE_WAIT_MS, limit=BATCH)
                if receiver.is_assigned():
                    self._report(True, "")
                if lanes.busy or (records and armed.one_by_one):
                    lanes.put(records)
                elif records and await self._take_together(records, lot):
                    acknowledger.note(records)
                elif records:
                    lanes.put(records)
                elif time.monotonic() - checked > CHECK_EVERY_S:
                    await self._effects.check()
                    checked = time.monotonic()
                receiver.hold(lanes.full)
                lot.look()
                acknowledger.acknowledge(lot.first(), at_once=not records)
                if len(records) >= BUSY:
                    await self._pause_s(LINGER_S)
            await lanes.finish()
            await lot.finish()
        finally:
            lanes.cancel()
            lot.cancel()
            acknowledger.acknowledge(lot.first(), at_once=True)

    async def _take_together(self, records: Sequence[Record], lot: ParkingLot) -> bool:
        """Returns False when the batch cannot be processed as a unit, or when the consumer was stopped first."""
        deliveries = [d for record in records for d in decode(record, self._handlers)]
        aside: list[Delivery] = []
        if self._effects.start_positions is None:
            aside = [d for d in deliveries if d.undecodable is not None]
            deliveries = [d for d in deliveries if d.undecodable is None] if aside else deliveries
        try:
            if deliveries and not await self._apply(deliveries):
                return False
            if aside:
                await lot.room()
                lot.put(aside)
            return True
        except (StartAgain, BrokerUnavailable):
            raise
        except Exception as error:
            if len(deliveries) > 1 and not isinstance(error, SeveralFailed):
                log("batch failed, one by one now", subscriber=self._subscriber, size=len(deliveries), error=describe(error))
        return False

    async def _take_in_lane(self, records: Sequence[Record]) -> int:
        """Returns how many of these records of one partition were processed: one while a fault is armed, otherwise all; 0 when stopped
        first."""
        if self._stopping.is_set():
            return 0
        if not armed.one_by_one:
            taken = await self._take([d for record in records for d in decode(record, self._handlers)])
            return len(records) if taken else 0
        for delivery in decode(records[0], self._handlers):
            about = about_delivery(self._subscriber, delivery)
            if not (await gate.before(about, self._stopping.is_set) and await self._take([delivery])):
                return 0
            gate.after(about)
            await failpoint("consumer.after_commit_before_ack", about)
        return 1

    async def _take(self, deliveries: Sequence[Delivery]) -> bool:
        """Process deliveries of one partition in order. Returns False when stopped before all were processed.

        A batch that cannot be processed as a unit is halved until the failing message is isolated, so the others need few transactions.
        """
        if len(deliveries) == 1:
            return await self._take_one(deliveries[0])
        parts = [deliveries[: len(deliveries) // 2], deliveries[len(deliveries) // 2 :]]
        try:
            return await self._apply(deliveries)
        except (StartAgain, BrokerUnavailable):
            raise
        except SeveralFailed:
            parts = [[delivery] for delivery in deliveries]
        except Exception as error:
            log("batch failed, in halves now", subscriber=self._subscriber, size=len(deliveries), error=describe(error))
        for part in parts:
            if not await self._take(part):
                return False
        return True

    async def _take_one(self, delivery: Delivery) -> bool:
        for tries in range(TRIES):
            try:
                return await self._apply([delivery])
            except (StartAgain, BrokerUnavailable):
                raise
            except Exception as error:
                if delivery.undecodable is not None:
                    return await self._park(delivery, delivery.undecodable)
                cause = "".join(traceback.format_exception(error)).rstrip()
                kind = type(error).__name__, traceback.format_tb(error.__traceback__)[-1]
                log("handler raised", subscriber=self._subscriber, tries=tries + 1, error=describe(error), **place_of(delivery))
                if tries + 1 < TRIES and time.monotonic() - self._hopeless.get(kind, -HOPELESS_S) >= HOPELESS_S:
                    await self._pause(tries)
        self._hopeless[kind] = time.monotonic()
        return await self._park(delivery, cause)

    async def _apply(self, deliveries: Sequence[Delivery]) -> bool:
        """Retry while errors are unrelated to the messages. Returns False when stopped meanwhile."""
        failures = 0
        while True:
            try:
                await self._effects.apply(deliveries)
                break
            except Exception as error:
                if not self._effects.is_transient(error):
                    raise
                log("trying again", subscriber=self._subscriber, size=len(deliveries), error=describe(error))
            await self._pause(failures)
            failures += 1
            if self._stopping.is_set():
                return False
        log_many([self._parked(d, d.undecodable) for d in deliveries if d.undecodable is not None])
        return True

    async def _park(self, delivery: Delivery, cause: str) -> bool:
        """Park a message. Retries for ever, whatever the error: a message neither processed nor parked would be lost. Its partition
        waits."""
        failures, cause = 0, storable(cause)
        while True:
            try:
                await self._effects.park(delivery, cause)
                log_many([self._parked(delivery, cause)])
                return True
            except (StartAgain, BrokerUnavailable):
                raise
            except Exception as error:
                if not self._effects.is_transient(error) and failures % 60 == 0:
                    log("cannot be parked", level="error", subscriber=self._subscriber, error=describe(error), **place_of(delivery))
            await self._pause(failures)
            failures += 1
            if self._stopping.is_set():
                return False

    def _parked(self, delivery: Delivery, cause: str) -> tuple[str, dict[str, object]]:
        return "parked", {"subscriber": self._subscriber, "cause": last_line(cause), **place_of(delivery)}

    async def _pause(self, failures: int) -> None:
        await self._pause_s(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])

    async def _pause_s(self, seconds: float) -> None:
        """Sleep, but wake up when the consumer is stopped."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
