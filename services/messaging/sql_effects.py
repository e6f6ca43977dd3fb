"""Effects in a SQL database: one local transaction holds the inbox row, the handlers' changes and their outbox rows."""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from services.messaging import inbox
from services.messaging.consumer import SeveralFailed
from services.messaging.database import Database, Transaction, declare_work
from services.messaging.dead_letter import park
from services.messaging.delivery import Delivery, about_delivery, in_hand, log_handled
from services.messaging.events import DomainEvent, EventHandlers
from services.mysql.connection import is_transient
from services.workshop.armed import armed
from services.workshop.failpoint import failpoint

SLOW_S = 1.0  # a batch that takes longer holds locks, and hides finished work, for too long

armed.declare("consumer.after_inbox_insert")


class SqlEffects:
    """The effects of one subscriber. Each handler is called with the event and the open transaction.

    `work` names the unit of work that an event type starts, for failpoints: `{"OrderCreated": "customer.reserve"}`.
    """

    start_positions = None  # the broker's group holds them

    def __init__(self, subscriber: str, handlers: EventHandlers, database: Database, work: Mapping[str, str] | None = None) -> None:
        self._subscriber = subscriber
        self._handlers = handlers
        self._database = database
        self._work = work or {}
        declare_work(*self._work.values())

    async def apply(self, deliveries: Sequence[Delivery]) -> None:
        begin = time.time()
        bad = [(d, d.undecodable) for d in deliveries if d.undecodable is not None]
        if bad:
            deliveries = [d for d in deliveries if d.undecodable is None]
        message_ids = [d.message.id for d in deliveries if d.message]
        events = [d.event for d in deliveries if d.event is not None]
        try:
            async with self._transaction(deliveries) as tx:
                if bad and not await park(tx, self._subscriber, bad):
                    raise SeveralFailed("some of these were parked before")
                if not message_ids:
                    return
                if not events:
                    inbox.receive_again(tx, self._subscriber, message_ids)
                else:
                    inbox.receive(tx, self._subscriber, message_ids)
                    if armed.points:
                        await tx.flush()
                        await failpoint("consumer.after_inbox_insert", tx.about)
                    await self._handle(deliveries, events, tx)
        except inbox.ReceivedBefore:
            if len(deliveries) + len(bad) > 1:
                raise SeveralFailed("some of these were received before") from None
        else:
            log_handled(deliveries, begin)

    def _transaction(self, deliveries: Sequence[Delivery]) -> AbstractAsyncContextManager[Transaction]:
        if not armed.points or len(deliveries) != 1:
            return self._database.transaction()
        about = about_delivery(self._subscriber, deliveries[0])
        return self._database.transaction(self._work.get(about.event_type.rpartition(".")[2], ""), about)

    async def _handle(self, deliveries: Sequence[Delivery], events: Sequence[DomainEvent], tx: Transaction) -> None:
        if len(events) > 1 and self._handlers.prepare is not None:
            await self._handlers.prepare(events, tx)
        begin = time.monotonic()
        for delivery in deliveries:
            if delivery is not deliveries[0] and time.monotonic() - begin > SLOW_S:
                raise SeveralFailed("handlers take long, so each message gets a transaction of its own")
            if delivery.reaction is not None:
                with in_hand(delivery):
                    await delivery.reaction.handler(delivery.event, tx)

    async def park(self, delivery: Delivery, cause: str) -> None:
        async with self._database.transaction() as tx:
            await park(tx, self._subscriber, [(delivery, cause)])

    async def check(self) -> None:
        """Does nothing: inbox and effects share one database, so one never exists without the other."""

    def is_transient(self, error: BaseException) -> bool:
        return is_transient(error)
