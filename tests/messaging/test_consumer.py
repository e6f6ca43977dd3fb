"""The consumer between a real broker and a real database: each message has its effect once, and delays no other partition."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from services.messaging.brokers.kafka import Kafka
from services.messaging.consumer import Consumer
from services.messaging.database import Database, Transaction
from services.messaging.sql_effects import SqlEffects
from services.workshop.armed import armed
from services.workshop.fault import Fault
from tests.messaging.servers import KafkaBroker, MysqlDatabase, Schema
from tests.messaging.shop import TABLE, Counted, database, effects, handlers_of, note, outgoing
from tests.messaging.test_broker_contract import created, publish
from tests.messaging.until import until


@pytest.fixture
def schema(mysql: MysqlDatabase) -> Schema:
    made = mysql.new_schema()
    made.rows(TABLE)
    return made


class Subscriber:
    """One subscriber of one channel, both named after the test."""

    def __init__(self, kafka: KafkaBroker, schema: Schema, name: str) -> None:
        self.broker = Kafka(kafka.settings, instance=name)
        self.schema = schema
        self.name = name

    @asynccontextmanager
    async def consuming(self, handler: Callable[[Counted, Transaction], Awaitable[None]] = note) -> AsyncIterator[Consumer]:
        """Stopped in order afterwards."""
        opened: Database = database(self.schema)
        handlers = handlers_of(self.name, handler)
        consumer = Consumer(self.name, handlers, SqlEffects(self.name, handlers, opened), self.broker)
        running = asyncio.create_task(consumer.run())
        try:
            yield consumer
        finally:
            consumer.stop()
            await running
            opened.close()

    async def publish(self, *numbers: int, key: str = "1") -> None:
        await publish(self.broker, outgoing(self.name, numbers, key))

    async def has(self, *numbers: int) -> None:
        await until(lambda: sorted(effects(self.schema)) == sorted(numbers), f"the effects are {numbers}")

    def causes(self) -> list[str]:
        return [cause.splitlines()[-1] for (cause,) in self.schema.rows("SELECT cause FROM dead_letter ORDER BY id")]


@pytest.fixture
def subscriber(kafka: KafkaBroker, schema: Schema, name: str) -> Subscriber:
    made = Subscriber(kafka, schema, name)
    asyncio.run(created(made.broker, name))
    return made


def test_messages_of_one_key_are_taken_in_order_and_after_a_restart_only_new_ones(subscriber: Subscriber) -> None:
    async def main() -> None:
        await subscriber.publish(*range(1, 51))
        async with subscriber.consuming():
            await subscriber.has(*range(1, 51))
        await subscriber.publish(*range(51, 61))
        async with subscriber.consuming():
            await subscriber.has(*range(1, 61))

    asyncio.run(main())
    assert effects(subscriber.schema) == [*range(1, 61)]


def test_a_message_that_comes_twice_has_its_effect_once(subscriber: Subscriber) -> None:
    async def main() -> None:
        await subscriber.publish(1, 2, 1, 1, 3, 2)
        await subscriber.publish(1, 4)
        async with subscriber.consuming():
            await subscriber.has(1, 2, 3, 4)

    asyncio.run(main())
    assert subscriber.causes() == []


def test_a_message_whose_handler_raises_is_parked_and_the_others_are_taken(subscriber: Subscriber) -> None:
    tries: list[int] = []

    async def handler(event: Counted, tx: Transaction) -> None:
        await note(event, tx)
        if event.number == 3:
            tries.append(event.number)
            raise ValueError("3 is no number")

    async def main() -> None:
        await subscriber.publish(1, 2, 3, 4, 5)
        async with subscriber.consuming(handler):
            await subscriber.has(1, 2, 4, 5)
            await until(subscriber.causes, "it is parked")

    asyncio.run(main())
    assert effects(subscriber.schema) == [1, 2, 4, 5]
    assert subscriber.causes() == ["ValueError: 3 is no number"]
    assert len(tries) >= 3


def test_what_is_not_a_message_is_parked_and_the_others_are_taken(subscriber: Subscriber) -> None:
    async def main() -> None:
        records = outgoing(subscriber.name, [1, 2])
        await publish(subscriber.broker, [records[0], type(records[0])(subscriber.name, b"1", b"no message"), records[1]])
        async with subscriber.consuming():
            await subscriber.has(1, 2)
            await until(subscriber.causes, "it is parked")

    asyncio.run(main())
    (cause,) = subscriber.causes()
    assert cause.startswith("the record is not a message")


def test_a_lock_that_is_not_had_parks_nothing_and_is_waited_for(subscriber: Subscriber) -> None:
    async def main() -> None:
        locking = subscriber.schema.connect()
        with locking.cursor() as cursor:
            cursor.execute("SET autocommit = 0")
            cursor.execute("LOCK TABLES effect WRITE")
            await subscriber.publish(1)
            async with subscriber.consuming():
                waiting = "SELECT 1 FROM information_schema.processlist WHERE state LIKE '%%metadata lock%%' AND db = %s"
                await until(lambda: subscriber.schema.rows(waiting, subscriber.schema.name), "it waits for the lock")
                cursor.execute("UNLOCK TABLES")
                await subscriber.has(1)
        locking.close()

    asyncio.run(main())
    assert subscriber.causes() == []


def test_a_message_that_is_held_holds_up_its_own_partition_alone(subscriber: Subscriber, nothing_armed: object) -> None:
    gate = Fault(id="1", kind="gate", target="x", message_id="m-1")

    async def main() -> None:
        armed.take([gate])
        await subscriber.publish(1, 2, key="1")
        for key in range(2, 30):
            await subscriber.publish(key + 100, key=str(key))
        async with subscriber.consuming():
            await until(lambda: len(effects(subscriber.schema)) >= 10, "other partitions are taken")
            assert not {1, 2} & set(effects(subscriber.schema))
            armed.take([])
            await subscriber.has(1, 2, *range(102, 130))
        in_order = [number for number in effects(subscriber.schema) if number < 100]
        assert in_order == [1, 2]

    asyncio.run(main())


def test_stopped_in_the_middle_it_finishes_what_it_has_in_hand(subscriber: Subscriber) -> None:
    async def main() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def handler(event: Counted, tx: Transaction) -> None:
            await note(event, tx)
            begun.set()
            await go_on.wait()

        await subscriber.publish(1)
        async with subscriber.consuming(handler) as consumer:
            await begun.wait()
            consumer.stop()
            go_on.set()
        assert effects(subscriber.schema) == [1]
        async with subscriber.consuming():  # its position was acknowledged; the next record is the next one published
            await subscriber.publish(2)
            await subscriber.has(1, 2)

    asyncio.run(main())
