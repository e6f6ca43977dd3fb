"""What the broker holds and how far its subscribers have read. Reading it does not affect any consumer group."""

import asyncio
from collections.abc import Mapping

from labkit.brokers.model import Place, Position
from labkit.checking import records
from labkit.checking.records import Published
from labkit.faults import positions
from labkit.faults.targets import channel, subscription
from labkit.stack.model import Stack

Ends = Mapping[Place, Position]
"""The end of each partition of the system's channels."""


class BrokerView:
    """The broker's contents. Channels have their short names, `order` and `customer`. Methods raise NotJudged if the broker does not
    answer."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    async def partitions(self, channel_name: str) -> int:
        """Return the number of partitions of a channel."""
        return await asyncio.to_thread(positions.partitions, self._stack, channel_name)

    def partition_of(self, key: object, count: int) -> int:
        """Return the partition, out of `count`, of a message with this key."""
        return positions.partition_of(self._stack, str(key), count)

    async def ends(self) -> Ends:
        return await asyncio.to_thread(records.ends, self._stack)

    async def since(self, ends: Ends) -> list[Published]:
        """Return all messages published after these ends."""
        return await asyncio.to_thread(records.since, self._stack, ends)

    async def behind(self, component: str, channel_name: str | None = None) -> str | None:
        """Return a subscriber's position in the first partition that it has not read to the end, or None if it has read everything."""
        return await asyncio.to_thread(self._behind, component, channel_name)

    def _behind(self, component: str, channel_name: str | None) -> str | None:
        stack, profile = self._stack, self._stack.profile
        who = subscription(profile, component)
        wanted = profile.taken_by(who.subscriber) if channel_name is None else {channel(profile, channel_name)}
        for (topic, partition), end in records.ends(stack).items():
            if topic in wanted:
                taken = positions.taken_up_to(stack, who, topic, partition)
                if taken is None:  # no position stored since its store was emptied
                    taken = records.starts(stack)[topic, partition]
                if taken < end:
                    where = f"{profile.short(topic)}, partition {partition}"
                    return f"it stands at {positions.said(stack, taken)} of {where}, {end - taken} behind"
        return None
