"""Builds the parts of the services from the environment, and stops their tasks.

Outside of messaging/brokers, only this module names the broker product.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.log import describe, log
from services.messaging.brokers import Broker, OpenPublisher, Publisher
from services.messaging.brokers.kafka import Kafka, KafkaSettings
from services.messaging.delivery import about_record
from services.settings import Settings
from services.workshop.armed import armed
from services.workshop.publishing import FailpointPublisher

if TYPE_CHECKING:
    from services.mysql.connection import MysqlSettings

STOP_S = 2.0


def broker_from(settings: Settings) -> Kafka:
    """The broker that the environment describes."""
    address = KafkaSettings(settings.text("KAFKA_BOOTSTRAP"), settings.optional("KAFKA_USERNAME"), settings.optional("KAFKA_PASSWORD"))
    return Kafka(address, instance=settings.instance())


def publishers_with_failpoint(broker: Broker, point: str) -> OpenPublisher:
    """Opens publishers of this broker that pass a failpoint after each acknowledged record."""
    armed.declare(point)

    async def open_publisher() -> Publisher:
        return FailpointPublisher(await broker.publisher(), point, about_record)

    return open_publisher


def mysql_settings(settings: Settings, schema: str | None = None) -> "MysqlSettings":
    """This process's MySQL account, on `schema` or on the schema from the environment."""
    from services.mysql.connection import MysqlSettings  # imported here to spare services without a database the driver

    return MysqlSettings(
        host=settings.text("MYSQL_HOST"),
        port=settings.number("MYSQL_PORT", lowest=1),
        user=settings.text("MYSQL_USER"),
        password=settings.text("MYSQL_PASSWORD"),
        database=schema or settings.text("MYSQL_DATABASE"),
    )


async def finished(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for tasks that were asked to stop; cancel those that do not stop in time. Their errors are logged."""
    _, late = await asyncio.wait(tasks, timeout=STOP_S)
    for task in late:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            log("ended with an error", error=describe(result))
