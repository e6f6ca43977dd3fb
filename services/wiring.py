"""What the services are made of, from the environment, and how they stop.

Outside of messaging/brokers, this is the only module that names the product that the broker is.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.log import describe, log
from services.messaging.kafka import Kafka, KafkaSettings
from services.settings import Settings

if TYPE_CHECKING:
    from services.messaging.database import MysqlSettings

STOP_S = 2.0


def broker_from(settings: Settings, *, published: str = "") -> Kafka:
    """The broker that the environment names. `published` is the failpoint that its publishers pass."""
    address = KafkaSettings(settings.text("KAFKA_BOOTSTRAP"), settings.optional("KAFKA_USERNAME"), settings.optional("KAFKA_PASSWORD"))
    return Kafka(address, instance=settings.instance(), published=published)


def mysql_settings(settings: Settings, schema: str | None = None) -> "MysqlSettings":
    """The account of this process at MySQL, in this schema or in the one that the environment names."""
    from services.messaging.database import MysqlSettings  # here, to spare the services without a database its driver

    return MysqlSettings(
        host=settings.text("MYSQL_HOST"),
        port=settings.number("MYSQL_PORT", lowest=1),
        user=settings.text("MYSQL_USER"),
        password=settings.text("MYSQL_PASSWORD"),
        database=schema or settings.text("MYSQL_DATABASE"),
    )


async def finished(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for tasks that were asked to stop; cancel what does not stop in time. Their errors are logged."""
    _, late = await asyncio.wait(tasks, timeout=STOP_S)
    for task in late:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            log("ended with an error", error=describe(result))
