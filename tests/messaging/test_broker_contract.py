"""The contract between messaging and every broker product. A new broker is one more entry of BROKERS."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from services.messaging.brokers import (
    Broker,
    BrokerUnavailable,
    OutgoingRecord,
    Place,
    Position,
    Receiver,
    Record,
    RecordRefused,
    StartPositions,
)
from services.messaging.brokers.kafka import Kafka
from tests.messaging.servers import KafkaBroker
from tests.running import wait_until

T = TypeVar("T")

WITHIN_S = 60.0


class OnKafka:
    """What these tests need of a product in addition to the contract."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.server: KafkaBroker = request.getfixturevalue("kafka")
        self._admin = AdminClient(self.server.settings.client())

    def broker(self, instance: str) -> Broker:
        return Kafka(self.server.settings, instance=instance)

    def delete(self, channel: str) -> None:
        for result in self._admin.delete_topics([channel], operation_timeout=30).values():
            result.result(30)
        wait_until(lambda: channel not in self._admin.list_topics(timeout=30).topics, f"{channel} is gone")

    def create(self, channel: str) -> None:
        for result in self._admin.create_topics([NewTopic(channel, num_partitions=4, replication_factor=1)]).values():
            result.result(30)

    refused = (OutgoingRecord("no channel!", b"k", b"v"), OutgoingRecord("too-large", b"k", b"v" * 2_000_000))


BROKERS: dict[str, Callable[[pytest.FixtureRequest], OnKafka]] = {"kafka": OnKafka}


@pytest.fixture(params=BROKERS)
def product(request: pytest.FixtureRequest) -> OnKafka:
    return BROKERS[request.param](request)


def records(channel: str, keys: Sequence[str], rounds: int, first: int = 0) -> list[OutgoingRecord]:
    return [OutgoingRecord(channel, key.encode(), f"{key} {n}".encode()) for n in range(first, first + rounds) for key in keys]


async def retried(call: Callable[[], Awaitable[T]]) -> T:
    """Retries while the broker is not ready, as consumer and relay do."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        try:
            return await call()
        except BrokerUnavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


async def publish(broker: Broker, outgoing: Sequence[OutgoingRecord]) -> None:
    async def once() -> None:
        publisher = await broker.publisher()
        try:
            await publisher.publish(outgoing)
        finally:
            await publisher.close()

    await retried(once)


@asynccontextmanager
async def receiving(broker: Broker, subscriber: str, channel: str, start: StartPositions | None = None) -> AsyncIterator[Receiver]:
    receiver = await retried(lambda: broker.receiver(subscriber, [channel], start))
    try:
        yield receiver
    finally:
        await receiver.close()


async def receive(receiver: Receiver, count: int) -> list[Record]:
    """Receives at least `count` records."""
    found: list[Record] = []
    deadline = time.monotonic() + WITHIN_S
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} records came"
        found += await receiver.receive(wait_ms=100, limit=200)
    return found


async def created(broker: Broker, channel: str) -> None:
    async with receiving(broker, f"{channel}-creator", channel):
        pass


def values(found: Sequence[Record], place: Place | None = None) -> list[str]:
    return [(record.value or b"").decode() for record in found if place in (None, record.place)]


def by_place(found: Sequence[Record]) -> dict[Place, list[Record]]:
    places: dict[Place, list[Record]] = {}
    for record in found:
        places.setdefault(record.place, []).append(record)
    return places


KEYS = [str(n) for n in range(12)]


def test_records_of_one_key_come_in_their_order(product: OnKafka, name: str) -> None:
    async def run() -> None:
        broker = product.broker(name)
        await created(broker, name)
        await publish(broker, records(name, KEYS, 20))
        async with receiving(broker, name, name) as receiver:
            found = await receive(receiver, 20 * len(KEYS))
            assert receiver.is_assigned()
        for key in KEYS:
            of_key = [record for record in found if record.key == key.encode()]
            assert values(of_key) == [f"{key} {n}" for n in range(20)]
            assert len({record.place for record in of_key}) == 1
        assert len(by_place(found)) > 1
        for of_place in by_place(found).values():
            assert all(one.position < one.next <= other.position for one, other in itertools.pairwise(of_place))
            assert all(Position.parse(str(record.position)) == record.position for record in of_place)

    asyncio.run(run())


def test_what_is_acknowledged_does_not_come_again_and_the_rest_does(product: OnKafka, name: str) -> None:
    async def run() -> None:
        broker = product.broker(name)
        await created(broker, name)
        await publish(broker, records(name, KEYS, 10))
        async with receiving(broker, name, name) as receiver:
            places = by_place(await receive(receiver, 10 * len(KEYS)))
            taken = {place: found[: len(found) // 2] for place, found in places.items()}
            receiver.acknowledge({place: found[-1].next for place, found in taken.items()})
        left = {place: values(found[len(found) // 2 :]) for place, found in places.items()}
        for _ in range(2):  # nothing was acknowledged the first time
            async with receiving(broker, name, name) as receiver:
                again = by_place(await receive(receiver, sum(map(len, left.values()))))
                assert {place: values(found) for place, found in again.items()} == left
        async with receiving(broker, f"{name}-other", name) as receiver:
            assert len(await receive(receiver, 10 * len(KEYS))) == 10 * len(KEYS)  # another subscriber receives all of them

    asyncio.run(run())


def test_a_place_on_hold_gives_nothing_and_the_others_go_on(product: OnKafka, name: str) -> None:
    async def run() -> None:
        broker = product.broker(name)
        await created(broker, name)
        await publish(broker, records(name, KEYS, 1))
        async with receiving(broker, name, name) as receiver:
            held, *others = by_place(await receive(receiver, len(KEYS)))
            receiver.hold([held])
            assert await receiver.receive(wait_ms=100, limit=200) == []
            await publish(broker, records(name, KEYS, 5, first=1))
            of_held = {record.key for record in await replayed(broker, name) if record.place == held}
            expected = 5 * (len(KEYS) - len(of_held))
            assert set(by_place(await receive(receiver, expected))) == set(others)
            assert await receiver.receive(wait_ms=200, limit=200) == []
            receiver.hold([])
            found = await receive(receiver, 5 * len(of_held))
            assert {record.place for record in found} == {held}
            for key in of_held:
                assert values([r for r in found if r.key == key]) == [f"{(key or b'').decode()} {n}" for n in range(1, 6)]

    asyncio.run(run())


async def replayed(broker: Broker, channel: str) -> list[Record]:
    async with receiving(broker, f"{channel}-replayed", channel) as receiver:
        return await receive(receiver, 6 * len(KEYS))


def test_a_record_that_can_never_be_stored_is_refused_and_others_are_not(product: OnKafka, name: str) -> None:
    async def run() -> None:
        broker = product.broker(name)
        await created(broker, name)
        publisher = await broker.publisher()
        try:
            for record in product.refused:
                with pytest.raises(RecordRefused):
                    await publisher.publish([record])
            await publisher.publish(records(name, ["1"], 1))
        finally:
            await publisher.close()
        async with receiving(broker, name, name) as receiver:
            assert values(await receive(receiver, 1)) == ["1 0"]

    asyncio.run(run())


def test_a_subscriber_that_stores_its_positions_says_where_to_begin(product: OnKafka, name: str) -> None:
    async def run() -> None:
        broker = product.broker(name)
        await created(broker, name)
        await publish(broker, records(name, KEYS, 10))
        async with receiving(broker, name, name) as receiver:
            places = by_place(await receive(receiver, 10 * len(KEYS)))
        known, *unknown = places
        asked: list[tuple[Mapping[Place, Position], Mapping[str, str]]] = []

        async def start(ends: Mapping[Place, Position], identities: Mapping[str, str]) -> Mapping[Place, Position]:
            asked.append((ends, identities))
            return {known: places[known][6].next}

        async with receiving(broker, f"{name}-view", name, start) as receiver:
            wanted = {place: values(places[place]) for place in unknown} | {known: values(places[known][7:])}
            found = by_place(await receive(receiver, sum(map(len, wanted.values()))))
            assert {place: values(of_place) for place, of_place in found.items()} == wanted
        ends, identities = asked[0]
        assert {place: ends[place] for place in places} == {place: of_place[-1].next for place, of_place in places.items()}
        assert set(identities) == {name}

    asyncio.run(run())


def test_without_the_broker_everything_says_that_it_is_unavailable_and_goes_on_with_it(product: OnKafka, name: str) -> None:
    async def run() -> None:
        broker = product.broker(name)
        await created(broker, name)
        await publish(broker, records(name, ["1"], 1))
        async with receiving(broker, name, name) as receiver:
            assert values(await receive(receiver, 1)) == ["1 0"]
            publisher = await broker.publisher()
            product.server.kill()
            with pytest.raises(BrokerUnavailable):
                await broker.check()
            with pytest.raises(BrokerUnavailable):
                await publisher.publish(records(name, ["1"], 1, first=1))
            await publisher.close()
            with pytest.raises(BrokerUnavailable):
                await broker.publisher()
            with pytest.raises(BrokerUnavailable):
                await broker.receiver(name, [name])
            product.server.start()
        await publish(broker, records(name, ["1"], 1, first=2))
        async with receiving(broker, name, name) as receiver:
            found = values(await receive(receiver, 2))
            assert [value for value in found if value != "1 1"] == ["1 0", "1 2"]  # whether 1 1 was stored is unknown

    try:
        asyncio.run(run())
    finally:
        if not product.server.is_ready():
            product.server.start()


def test_a_channel_that_is_deleted_and_created_again_is_noticed(product: OnKafka, name: str) -> None:
    async def run() -> None:
        broker = product.broker(name)
        identities: list[str] = []

        async def start(_: Mapping[Place, Position], found: Mapping[str, str]) -> Mapping[Place, Position]:
            identities.append(found[name])
            return {}

        await created(broker, name)
        await publish(broker, records(name, ["1"], 10))
        async with receiving(broker, name, name, start) as receiver:
            await receive(receiver, 10)
            product.delete(name)
            product.create(name)
            await publish(broker, records(name, ["1"], 3, first=20))
            with pytest.raises(BrokerUnavailable):
                await receive(receiver, 100)
        async with receiving(broker, name, name, start) as receiver:
            assert values(await receive(receiver, 3)) == ["1 20", "1 21", "1 22"]
        assert identities[0] != identities[-1]

    asyncio.run(run())
