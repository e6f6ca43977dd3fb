"""Lanes: each partition's records stay in order, and no partition waits for another."""

import asyncio
from collections.abc import Sequence

import pytest

from services.messaging.brokers import Record
from services.messaging.lanes import FULL, Lanes
from tests.messaging.received import received
from tests.messaging.until import until


class Takes:
    """Processes one record at a time. Partitions that are shut wait until they are opened."""

    def __init__(self, *shut: int) -> None:
        self.shut = {partition: asyncio.Event() for partition in shut}
        self.taken: list[tuple[int, str]] = []
        self.noted: list[tuple[int, str]] = []
        self.stopped = False

    async def take(self, records: Sequence[Record]) -> int:
        record = records[0]
        if record.partition in self.shut:
            await self.shut[record.partition].wait()
        if record.value == b"bad":
            raise LookupError("bad")
        if self.stopped:
            return 0
        self.taken.append((record.partition, str(record.position)))
        return 1

    def note(self, records: Sequence[Record]) -> None:
        self.noted += [(record.partition, str(record.position)) for record in records]


def some(partition: int, count: int) -> list[Record]:
    return [received("c", partition, offset) for offset in range(count)]


async def idle(lanes: Lanes) -> None:
    await until(lambda: not lanes.busy, "the lanes are idle")


def test_a_partition_that_waits_holds_up_no_other() -> None:
    async def main() -> None:
        takes = Takes(0)
        lanes = Lanes(takes.take, takes.note)
        lanes.put([*some(0, 3), *some(1, 3), *some(2, 3)])
        await until(lambda: len(takes.noted) == 6, "the others are taken")
        assert {partition for partition, _ in takes.noted} == {1, 2}
        assert lanes.busy
        takes.shut[0].set()
        await idle(lanes)
        for partition in range(3):
            assert [position for other, position in takes.noted if other == partition] == ["0", "1", "2"]
        assert sorted(takes.taken) == sorted(takes.noted)

    asyncio.run(main())


def test_a_full_lane_says_so_until_it_is_empty_enough() -> None:
    async def main() -> None:
        takes = Takes(0)
        lanes = Lanes(takes.take, takes.note)
        lanes.put([*some(0, FULL), *some(1, 1)])
        assert lanes.full == [("c", 0)]
        takes.shut[0].set()
        await idle(lanes)
        assert lanes.full == []

    asyncio.run(main())


def test_what_a_lane_fails_with_is_raised_and_only_what_was_taken_is_noted() -> None:
    async def main() -> None:
        takes = Takes()
        lanes = Lanes(takes.take, takes.note)
        lanes.put([received("c", 0, 0), received("c", 0, 1, value=b"bad"), received("c", 0, 2)])
        with pytest.raises(LookupError):
            await idle(lanes)
        assert takes.noted == [(0, "0")]

    asyncio.run(main())


def test_when_stopped_a_lane_finishes_what_it_has_in_hand_and_drops_the_rest() -> None:
    async def main() -> None:
        takes = Takes(0)
        lanes = Lanes(takes.take, takes.note)
        lanes.put(some(0, 3))
        await asyncio.sleep(0)
        takes.stopped = True
        takes.shut[0].set()
        await lanes.finish()
        assert takes.noted == []
        assert not lanes.busy

    asyncio.run(main())
