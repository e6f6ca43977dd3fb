"""The life of a service that has a database and a subscription: start in any order, report readiness, stop cleanly."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from services.messaging.consumer import Consumer
from services.messaging.database import Database, TransientError
from services.messaging.log import describe, log
from services.messaging.tasks import finished

PROBE_EVERY_S = 1.0
RETRY_S = 0.1

Report = Callable[[str, bool, str], None]
"""Told of a dependency: its name, whether it can be had, and if not, why."""


@asynccontextmanager
async def database_and_consumer(database: Database, consumer: Consumer, report: Report) -> AsyncIterator[None]:
    """While the block runs, consume as soon as the database is there, and watch it. At the end, finish what is in hand."""
    watching = asyncio.create_task(watch_database(database, report))
    consuming = asyncio.create_task(_consume_when_ready(database, consumer))
    try:
        yield
    finally:
        consumer.stop()
        await finished([consuming])
        watching.cancel()
        database.close()


async def _consume_when_ready(database: Database, consumer: Consumer) -> None:
    while True:
        try:
            await database.ready()
            break
        except Exception as error:
            log("waiting for the database", error=describe(error))
            await asyncio.sleep(RETRY_S)
    await consumer.run()


async def watch_database(database: Database, report: Report) -> None:
    while True:
        try:
            await database.ready()
            report("mysql", True, "")
            await asyncio.sleep(PROBE_EVERY_S)
        except Exception as error:
            # Also "no such table" and "access denied": the tables and accounts may be on their way.
            report("mysql", False, describe(error.__cause__ or error if isinstance(error, TransientError) else error))
            await asyncio.sleep(RETRY_S)
