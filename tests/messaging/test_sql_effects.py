"""Effects in SQL on a real server: inbox row, effect and outbox rows share one transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from services.messaging.consumer import SeveralFailed
from services.messaging.database import Transaction
from services.messaging.delivery import Delivery
from services.messaging.sql_effects import SqlEffects
from tests.messaging.servers import MysqlDatabase, Schema
from tests.messaging.shop import TABLE, Counted, database, deliveries, effects, handlers_of, message, note


@pytest.fixture
def schema(mysql: MysqlDatabase) -> Schema:
    made = mysql.new_schema()
    made.rows(TABLE)
    return made


async def note_and_publish(event: Counted, tx: Transaction) -> None:
    await note(event, tx)
    tx.publish_message("answers", "1", {}, str(event.number))
    if event.number == 666:
        raise ValueError("666 is no number")


HANDLERS = handlers_of("counted", note_and_publish)


def apply(schema: Schema, *calls: Callable[[SqlEffects], Awaitable[None]]) -> None:
    async def main() -> None:
        opened = database(schema)
        for call in calls:
            await call(SqlEffects("a-subscriber", HANDLERS, opened))
        opened.close()

    asyncio.run(main())


def taking(*values: bytes, raises: type[Exception] | None = None) -> Callable[[SqlEffects], Awaitable[None]]:
    some: Sequence[Delivery] = deliveries(HANDLERS, "counted", *values)

    async def call(sql: SqlEffects) -> None:
        if raises is None:
            await sql.apply(some)
        else:
            with pytest.raises(raises):
                await sql.apply(some)

    return call


def state(schema: Schema) -> tuple[list[int], list[str], list[str]]:
    """Returns the effects, the ids in the inbox, and the published messages."""
    inbox = [each for (each,) in schema.rows("SELECT message_id FROM received_messages ORDER BY 1")]
    published = [each for (each,) in schema.rows("SELECT payload FROM message WHERE destination = 'answers' ORDER BY id")]
    return effects(schema), inbox, published


def test_a_message_has_its_effect_once_however_often_it_comes(schema: Schema) -> None:
    once = message("counted", 1)
    apply(schema, taking(once), taking(once), taking(message("counted", 2)))
    assert state(schema) == ([1, 2], ["m-1", "m-2"], ["1", "2"])


def test_a_batch_is_taken_together_or_not_at_all(schema: Schema) -> None:
    batch = [message("counted", number) for number in (1, 2, 3)]
    apply(schema, taking(batch[1]), taking(*batch, raises=SeveralFailed))
    assert state(schema) == ([2], ["m-2"], ["2"])
    apply(schema, taking(batch[0], batch[2]))
    assert state(schema) == ([2, 1, 3], ["m-1", "m-2", "m-3"], ["2", "1", "3"])


def test_a_handler_that_raises_leaves_nothing_behind(schema: Schema) -> None:
    apply(schema, taking(message("counted", 1), message("counted", 666), raises=ValueError))
    assert state(schema) == ([], [], [])


def test_a_message_without_a_handler_is_received_and_has_no_effect(schema: Schema) -> None:
    other = message("counted", 1).replace(b'"event-type": "Counted"', b'"event-type": "AnotherEvent"')
    apply(schema, taking(other), taking(other))
    assert state(schema) == ([], ["m-1"], [])


def test_what_cannot_be_decoded_is_parked_with_the_others_taken(schema: Schema) -> None:
    apply(schema, taking(message("counted", 1), b"no message", message("counted", 2)))
    assert state(schema) == ([1, 2], ["m-1", "m-2"], ["1", "2"])
    assert schema.rows("SELECT subscriber, channel, position, record_value FROM dead_letter") == [
        ("a-subscriber", "counted", "1", b"no message"),
    ]
    assert schema.rows("SELECT count(*) FROM message WHERE destination = 'a-subscriber.dead-letter'") == [(1,)]
