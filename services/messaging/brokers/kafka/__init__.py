"""Kafka as the broker: a channel is a topic, a position is an offset, and a subscriber is a consumer group with static membership."""

import asyncio
from collections.abc import Sequence

from services.messaging.brokers import BrokerUnavailable, StartPositions
from services.messaging.brokers.kafka.client import ANSWER_TIMEOUT_S, KafkaSettings
from services.messaging.brokers.kafka.publisher import KafkaPublisher
from services.messaging.brokers.kafka.receiver import KafkaReceiver

__all__ = ["Kafka", "KafkaSettings"]


class Kafka:
    """`instance` is the unique name of this process. A process restarted under the same name gets its partitions back immediately."""

    def __init__(self, settings: KafkaSettings, *, instance: str, partitions: int = 4) -> None:
        self.settings = settings
        self._instance = instance
        self._partitions = partitions

    async def check(self) -> None:
        host, _, port = self.settings.bootstrap.rpartition(":")
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), ANSWER_TIMEOUT_S)
        except OSError as error:
            raise BrokerUnavailable(str(error)) from error
        writer.close()

    async def publisher(self) -> KafkaPublisher:
        await self.check()
        return KafkaPublisher(self.settings, self._instance)

    async def receiver(self, subscriber: str, channels: Sequence[str], start: StartPositions | None = None) -> KafkaReceiver:
        await self.check()
        receiver = KafkaReceiver(self.settings, self._instance, subscriber, start)
        try:
            await receiver.join(channels, self._partitions)
        except BaseException:
            await receiver.close()
            raise
        return receiver
