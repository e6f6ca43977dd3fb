"""What the broker holds and how far its subscribers are, read without any group noticing."""

import asyncio
from collections.abc import Mapping

from labkit.brokers.model import Place, Position
from labkit.checking import records
from labkit.checking.records import Published
from labkit.faults import positions
from labkit.faults.targets import channel, subscription
from labkit.stack.model import Stack

Ends = Mapping[Place, Position]
"""Where each partition of the system's channels ends."""


class BrokerView:
    """Channels go by their short names, `order` and `customer`. Raises NotJudged when the broker does not answer."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    async def partitions(self, channel_name: str) -> int:
        """How many a channel has."""
        return await asyncio.to_thread(positions.partitions, self._stack, channel_name)

    def partition_of(self, key: object, count: int) -> int:
        """Where a message with this key goes, of so many partitions."""
        return positions.partition_of(self._stack, str(key), count)

    async def ends(self) -> Ends:
        return await asyncio.to_thread(records.ends, self._stack)

    async def since(self, ends: Ends) -> list[Published]:
        """All that was published after these ends."""
        return await asyncio.to_thread(records.since, self._stack, ends)

    async def behind(self, component: str, channel_name: str | None = None) -> str | None:
        """Where a subscriber is in the first partition that it has not taken all of; None when it has taken everything there is."""
        return await asyncio.to_thread(self._behind, component, channel_name)

    def _behind(self, component: str, channel_name: str | None) -> str | None:
        stack, profile = self._stack, self._stack.profile
        who = subscription(profile, component)
        wanted = profile.taken_by(who.subscriber) if channel_name is None else {channel(profile, channel_name)}
        for (topic, partition), end in records.ends(stack).items():
            if topic in wanted:
                taken = positions.taken_up_to(stack, who, topic, partition)
                if taken is None:  # it has written down no position since its store was emptied
                    taken = records.starts(stack)[topic, partition]
                if taken < end:
                    where = f"{profile.short(topic)}, partition {partition}"
                    return f"it stands at {positions.said(stack, taken)} of {where}, {end - taken} behind"
        return None
