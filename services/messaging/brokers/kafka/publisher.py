"""Publishing to Kafka. A separate thread waits for the acknowledgements."""

import asyncio
import threading
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from services.messaging.brokers import BrokerUnavailable, OutgoingRecord
from services.messaging.brokers.kafka.client import ANSWER_TIMEOUT_S, SILENT_MS, KafkaSettings, failure


class KafkaPublisher:
    def __init__(self, settings: KafkaSettings, instance: str) -> None:
        self._producer = Producer(
            {
                **settings.quick_client(instance),
                "enable.idempotence": True,
                "linger.ms": 0,
                "request.timeout.ms": SILENT_MS,
                # The partitioner of Kafka's Java client sends a key to the same partition as a Java relay would.
                "partitioner": "murmur2_random",
            }
        )
        self._loop = asyncio.get_running_loop()
        self._closing = False
        threading.Thread(target=self._wait_for_acknowledgements, daemon=True, name="acknowledgements").start()

    def _wait_for_acknowledgements(self) -> None:
        while not self._closing:
            self._producer.poll(0.2)

    async def publish(self, records: Sequence[OutgoingRecord]) -> None:
        acknowledged: asyncio.Future[None] = self._loop.create_future()
        failures: list[KafkaError] = []
        left = len(records)

        def on_delivery(error: KafkaError | None, _: Message) -> None:
            nonlocal left
            left -= 1
            if error is not None:
                failures.append(error)
            if left == 0:
                self._loop.call_soon_threadsafe(_finish, acknowledged)

        for record in records:
            try:
                self._producer.produce(record.channel, key=record.key, value=record.value, on_delivery=on_delivery)
            except KafkaException as error:
                raise failure(error) from error
            except BufferError as error:
                raise BrokerUnavailable(str(error)) from error
        try:
            await asyncio.wait_for(acknowledged, ANSWER_TIMEOUT_S)
        except TimeoutError:
            raise BrokerUnavailable(f"no acknowledgement within {ANSWER_TIMEOUT_S:.0f} s") from None
        if failures:
            raise failure(failures[0])

    async def close(self) -> None:
        """Close the publisher. Unacknowledged records are abandoned."""
        self._closing = True
        self._producer.purge()


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
