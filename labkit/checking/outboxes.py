"""What the services' outboxes hold now, and waiting for messages in them. Works for every profile: it defines the message types."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from labkit.checking.rows import cursor_on
from labkit.checking.shop import PlacedOrder
from labkit.checking.waiting import WITHIN_S, last_seen, until
from labkit.evidence.messages import Wire
from labkit.stack.model import Stack
from labkit.system import messaging

_AGGREGATE = "JSON_UNQUOTE(JSON_EXTRACT(headers, '$.\"event-aggregate-id\"'))"
_ORDER = "JSON_UNQUOTE(JSON_EXTRACT(payload, '$.orderId'))"
_REPLY_TO = "JSON_UNQUOTE(JSON_EXTRACT(headers, '$.reply_to_message_id'))"


@dataclass(frozen=True)
class OutboxMessage:
    """A message as its service wrote it. `name` is its name in the profile; `aggregate_id` is the id of the aggregate that an event is
    about."""

    id: str
    schema: str
    name: str
    aggregate_id: int | None
    order_id: int | None
    customer_id: int | None
    reply_to: str | None
    is_published: bool

    @property
    def place(self) -> str:
        """The outbox: schema and table."""
        return f"{self.schema}.{messaging.OUTBOX}"


class Outboxes:
    """The services' outboxes. Methods raise NotJudged if the database does not answer."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._wire = Wire(stack.profile)
        self._answers = frozenset(message.name for message in stack.profile.messages if message.answers)
        self._has_replies = any(not channel.about for channel in stack.profile.channels)

    async def about(self, ids: Iterable[int], name: str | None = None) -> list[OutboxMessage]:
        """Return the messages about orders or customers with these ids, oldest first. `name` selects one type."""
        found = await asyncio.to_thread(self._about, [str(an_id) for an_id in ids])
        return [message for message in found if name in (None, message.name)]

    async def about_order(self, order: PlacedOrder, name: str | None = None) -> list[OutboxMessage]:
        """Return the messages about one order, oldest first. `name` selects one type."""
        found = await asyncio.to_thread(self._about_order, order)
        return [message for message in found if name in (None, message.name)]

    async def published(self, order: PlacedOrder, name: str, *, within_s: float = WITHIN_S) -> str:
        """Wait until an outbox holds a message about an order and the relay has published it. Return its id. Raises NotJudged."""

        async def look() -> list[str]:
            return [message.id for message in await self.about_order(order, name) if message.is_published]

        return (await until(f"{name} of order {order.id} is published", look, bool, within_s=within_s))[0]

    async def answers(self, order: PlacedOrder) -> list[OutboxMessage]:
        """Return the answers about an order's credit, oldest first."""
        return [message for message in await self.about_order(order) if message.name in self._answers]

    async def answered(self, order: PlacedOrder, *, within_s: float = WITHIN_S) -> None:
        """Wait until an answer about an order's credit is written, or until time is up. A missing answer shows in the evidence."""
        await last_seen(lambda: self.answers(order), bool, within_s=within_s)

    async def unpublished(self, message_ids: Collection[str]) -> int:
        """Return how many of these messages the relay has not yet published."""
        return await asyncio.to_thread(self._unpublished, list(message_ids))

    def _about_order(self, order: PlacedOrder) -> list[OutboxMessage]:
        found = [message for message in self._about([str(order.id)]) if message.order_id == order.id]
        return [*found, *self._replies_to([message.id for message in found])] if self._has_replies and found else found

    def _about(self, ids: list[str]) -> list[OutboxMessage]:
        return self._read(f"{_AGGREGATE} IN %s OR {_ORDER} IN %s", ids, ids)

    def _replies_to(self, message_ids: list[str]) -> list[OutboxMessage]:
        return self._read(f"{_REPLY_TO} IN %s", message_ids)

    def _read(self, where: str, *values: list[str]) -> list[OutboxMessage]:
        found: list[OutboxMessage] = []
        with cursor_on(self._stack) as cursor:
            for schema in self._stack.profile.schemas:
                cursor.execute(
                    f"SELECT id, headers, payload, published FROM {schema}.{messaging.OUTBOX} WHERE {where} ORDER BY id", list(values)
                )
                for message_id, headers, payload, is_published in cursor.fetchall():
                    about = self._wire.about(headers.encode(), payload)
                    name = about.event or ""
                    ids = (about.aggregate_id, about.order_id, about.customer_id, about.reply_to)
                    found.append(OutboxMessage(str(message_id), schema, name, *ids, bool(is_published)))
        return found

    def _unpublished(self, message_ids: list[str]) -> int:
        count = 0
        with cursor_on(self._stack) as cursor:
            for schema in self._stack.profile.schemas:
                cursor.execute(f"SELECT COUNT(*) FROM {schema}.{messaging.OUTBOX} WHERE published = 0 AND id IN %s", [message_ids])
                count += int(cursor.fetchone()[0])
        return count
