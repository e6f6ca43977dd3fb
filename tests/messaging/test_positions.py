"""Positions: sortable, and unchanged after a round trip through text, in Python and in Redis, however large the numbers."""

import asyncio
import itertools

import pytest
from redis.asyncio import Redis

from services.messaging.brokers import Position
from services.order_history.store import Step, ViewChange, ViewStore
from tests.messaging.servers import RedisStore

LARGEST = 2**64 - 1
IN_ORDER = [
    [(0,), (9,), (10,), (99,), (100,), (2**53,), (2**53 + 1,), (LARGEST,)],
    [(9, 5), (10, 0), (1_795_790_616_412, 0), (1_795_790_616_412, 2**53 + 1), (1_795_790_616_412, LARGEST), (1_795_790_616_413, 0)],
]


@pytest.mark.parametrize("numbers", IN_ORDER)
def test_they_are_ordered_and_survive_as_text(numbers: list[tuple[int, ...]]) -> None:
    positions = [Position(each) for each in numbers]
    assert all(one < other for one, other in itertools.pairwise(positions))
    assert [Position.parse(str(position)) for position in positions] == positions
    assert str(positions[1]) == "-".join(map(str, numbers[1]))


@pytest.mark.parametrize("text", ["", "-1", "1-", "1--2", " 1", "1 ", "1.0", "1e3", "\u0661", "rubbish", "1" * 21])
def test_another_text_is_not_a_position(text: str) -> None:
    with pytest.raises(ValueError, match="not a position"):
        Position.parse(text)


@pytest.mark.parametrize("numbers", IN_ORDER)
def test_the_view_takes_each_once_and_never_goes_back(redis: RedisStore, name: str, numbers: list[tuple[int, ...]]) -> None:
    async def run() -> None:
        client = Redis(port=redis.port)
        store = ViewStore(client, name)
        known: Position | None = None
        for count, position in enumerate(map(Position, numbers), 1):
            step = Step((name, 0), position, known, ViewChange(1, {f"order:{count}:total": "1.00"}))
            assert await store.write([step]) == [1]
            assert await store.write([step]) == [0]
            assert (await store.positions()) == {(name, 0): position}
            known = position
        for earlier, later in itertools.combinations(map(Position, numbers), 2):
            await client.hset(f"positions:{name}", f"{name}:0", str(later))
            assert await store.write([Step((name, 0), earlier, None, None)]) == [0]
            await client.hset(f"positions:{name}", f"{name}:0", str(earlier))
            assert await store.write([Step((name, 0), later, None, None)]) == [1]
        await client.hset(f"positions:{name}", f"{name}:0", "rubbish")
        assert await store.positions() == {}
        assert await store.write([Step((name, 0), known or Position((0,)), known, None)]) == [-1]
        await store.close()

    asyncio.run(run())
