"""A service with a database and a subscription: how it is put together, its life from start to stop, and its answers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

import msgspec
from starlette.applications import Starlette
from starlette.routing import Route

from services.log import describe, log
from services.messaging.brokers import Broker
from services.messaging.consumer import Consumer
from services.messaging.database import Database
from services.messaging.events import EventHandlers
from services.messaging.ids import IdGenerator
from services.messaging.relay_hint import HintSender
from services.messaging.sql_effects import SqlEffects
from services.money import NoMoney, read_money
from services.mysql.connection import TransientError
from services.settings import Settings
from services.web import Health, Problem, service_app
from services.wiring import broker_from, finished, mysql_settings

PROBE_EVERY_S = 1.0
RETRY_S = 0.1

Report = Callable[[str, bool, str], None]
"""Takes note of a dependency: its name, whether it is available, and if not, why."""


@dataclass(frozen=True)
class Parts:
    """What a service with a database and a subscription is made of."""

    database: Database
    broker: Broker


def parts_from_environment() -> Parts:
    """Reads the environment. Wrong settings end the process with one log line that names them."""
    settings = Settings()
    mysql = mysql_settings(settings)
    address_bits = settings.address_bits()
    relay = settings.address("RELAY_HINT")
    broker = broker_from(settings)
    settings.check()
    hint = HintSender(relay, mysql.database)
    return Parts(Database(mysql, IdGenerator(address_bits), after_publish=hint.send), broker)


def subscribing_service(
    name: str, routes: Sequence[Route], subscriber: str, handlers: EventHandlers, parts: Parts, *, work: Mapping[str, str] | None = None
) -> Starlette:
    """The app of a REST API whose service also reacts to events, on one database. `work`: see SqlEffects."""
    health = Health("mysql", "subscription")
    health.probe("broker", parts.broker.check)
    effects = SqlEffects(subscriber, handlers, parts.database, work)
    consumer = Consumer(subscriber, handlers, effects, parts.broker, report=lambda up, why: health.set("subscription", up, why))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with _database_and_consumer(parts.database, consumer, health.set):
            yield

    return service_app(name, routes, health=health, lifespan=lifespan)


@asynccontextmanager
async def _database_and_consumer(database: Database, consumer: Consumer, report: Report) -> AsyncIterator[None]:
    """Within the block, consume as soon as the database answers, and monitor it. At the end, finish the current message."""
    watching = asyncio.create_task(_watch_database(database, report))
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


async def _watch_database(database: Database, report: Report) -> None:
    while True:
        try:
            await database.ready()
            report("mysql", True, "")
            await asyncio.sleep(PROBE_EVERY_S)
        except Exception as error:
            # Also "no such table" and "access denied": the tables and accounts may be on their way.
            report("mysql", False, describe(error.__cause__ or error if isinstance(error, TransientError) else error))
            await asyncio.sleep(RETRY_S)


@asynccontextmanager
async def answering_503(created: str = "") -> AsyncIterator[None]:
    """Turn an unavailable database into Problem 503. `created` names what may or may not exist then."""
    try:
        yield
    except TransientError as error:
        unsure = f"; it is not known whether {created} was stored" if error.outcome_unknown and created else ""
        raise Problem(503, f"the database does not answer{unsure}") from error


def amount_of(wire: msgspec.Raw, field: str) -> Decimal:
    """The amount of a request's field. Raises Problem 400 that names the field."""
    try:
        return read_money(wire)
    except NoMoney as error:
        raise Problem(400, f"{field} {error}", field=f"{field}.amount" if bytes(wire).startswith(b"{") else field) from error
