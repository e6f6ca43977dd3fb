"""The polling relay between a real outbox and a real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.messaging.brokers import Record
from services.messaging.brokers.kafka import Kafka
from services.messaging.message import decode_value
from services.messaging.relay.polling import PUBLISHED, SET_ASIDE, PollingRelay
from tests.messaging.servers import KafkaBroker, MysqlDatabase, Schema
from tests.messaging.shop import database
from tests.messaging.test_broker_contract import created, receive, receiving
from tests.messaging.until import until


class Outbox:
    """An outbox whose messages go to one channel."""

    def __init__(self, schema: Schema, kafka: KafkaBroker, channel: str) -> None:
        self.schema = schema
        self.broker = Kafka(kafka.settings, instance=channel)
        self.channel = channel
        self.reports: list[tuple[str, bool, str]] = []

    async def write(self, *payloads: str, key: str = "1") -> None:
        opened = database(self.schema)
        for payload in payloads:
            async with opened.transaction() as tx:
                tx.publish_message(self.channel, key, {}, payload)
        opened.close()

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[PollingRelay]:
        relay = PollingRelay(self.schema.settings, self.broker.publisher, lambda *said: self.reports.append(said))
        running = asyncio.create_task(relay.run())
        try:
            yield relay
        finally:
            relay.stop()
            await running

    def marks(self) -> list[int]:
        return [mark for (mark,) in self.schema.rows("SELECT published FROM message ORDER BY id")]

    async def is_done(self) -> None:
        await until(lambda: 0 not in self.marks(), "nothing is left in the outbox")

    async def records(self, count: int) -> list[str]:
        async with receiving(self.broker, f"{self.channel}-reader", self.channel) as receiver:
            return [payload(record) for record in await receive(receiver, count)]


def payload(record: Record) -> str:
    return decode_value(record.channel, record.value or b"").payload


@pytest.fixture
def outbox(mysql: MysqlDatabase, kafka: KafkaBroker, name: str) -> Outbox:
    made = Outbox(mysql.new_schema(), kafka, name)
    asyncio.run(created(made.broker, name))
    return made


def test_rows_become_records_in_their_order_and_are_marked(outbox: Outbox) -> None:
    wanted = [str(n) for n in range(60)]

    async def main() -> None:
        await outbox.write(*wanted[:30])
        async with outbox.relaying() as relay:
            await outbox.is_done()
            await outbox.write(*wanted[30:])
            relay.news.set()
            await outbox.is_done()
        assert await outbox.records(60) == wanted

    asyncio.run(main())
    assert set(outbox.marks()) == {PUBLISHED}


def test_a_row_that_no_broker_takes_is_set_aside_and_the_others_go_on(outbox: Outbox) -> None:
    async def main() -> None:
        await outbox.write("1", "x" * 2_000_000, "2")
        outbox.schema.rows("INSERT INTO message (id, destination, headers, payload, published) VALUES ('0', 'c', 'no headers', '{}', 0)")
        async with outbox.relaying():
            await outbox.is_done()
        assert await outbox.records(2) == ["1", "2"]

    asyncio.run(main())
    assert outbox.marks() == [SET_ASIDE, PUBLISHED, SET_ASIDE, PUBLISHED]


def test_of_two_relays_one_works_and_the_other_takes_over(outbox: Outbox) -> None:
    async def main() -> None:
        async with outbox.relaying() as first:
            await outbox.write("1")
            await outbox.is_done()
            async with outbox.relaying() as second:
                await until(lambda: any("standing by" in why for _, _, why in outbox.reports), "the second one stands by")
                await outbox.write("2")
                second.news.set()
                await outbox.is_done()
                assert await outbox.records(2) == ["1", "2"]
                first.stop()
                await outbox.write("3")
                await outbox.is_done()
        assert [record for record in await outbox.records(3) if record == "3"] == ["3"]

    asyncio.run(main())


def test_what_was_published_and_not_marked_is_published_again_after_a_restart(outbox: Outbox) -> None:
    async def main() -> None:
        await outbox.write("1", "2")
        async with outbox.relaying():
            await outbox.is_done()
        outbox.schema.rows("UPDATE message SET published = 0 WHERE payload = '2'")
        await outbox.write("3")
        async with outbox.relaying():
            await outbox.is_done()
        assert await outbox.records(4) == ["1", "2", "2", "3"]

    asyncio.run(main())


def test_a_lost_connection_to_the_database_is_replaced(outbox: Outbox) -> None:
    async def main() -> None:
        async with outbox.relaying():
            await outbox.write("1")
            await outbox.is_done()
            own = "SELECT id FROM information_schema.processlist WHERE db = %s AND id <> CONNECTION_ID()"
            for (connection,) in outbox.schema.rows(own, outbox.schema.name):
                outbox.schema.rows(f"KILL CONNECTION {connection}")
            await outbox.write("2")
            await outbox.is_done()
        assert await outbox.records(2) == ["1", "2"]

    asyncio.run(main())
    assert ("mysql", False) in {(what, up) for what, up, _ in outbox.reports}
