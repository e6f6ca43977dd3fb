"""What the services with a database share: how they are put together, and their answers when the database is away."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

import msgspec
from starlette.applications import Starlette
from starlette.routing import Route

from services.messaging.broker import Broker
from services.messaging.consumer import Consumer
from services.messaging.database import Database, TransientError
from services.messaging.events import EventHandlers
from services.messaging.hint import HintSender
from services.messaging.ids import IdGenerator
from services.messaging.kafka import Kafka
from services.messaging.service import database_and_consumer
from services.messaging.sql_effects import SqlEffects
from services.money import NoMoney, read_money
from services.settings import Settings
from services.web import Health, Problem, service_app


@dataclass(frozen=True)
class Parts:
    database: Database
    broker: Broker


def parts_from_environment() -> Parts:
    """Ends the process with a line of what is wrong when the environment is."""
    settings = Settings()
    mysql = settings.mysql()
    address_bits = settings.address_bits()
    relay = settings.address("RELAY_HINT")
    kafka = settings.kafka()
    instance = settings.instance()
    settings.check()
    hint = HintSender(relay, mysql.database or "")
    return Parts(
        database=Database(mysql, IdGenerator(address_bits), after_publish=hint.send),
        broker=Kafka(kafka, instance=instance),
    )


def subscribing_service(
    name: str, routes: Sequence[Route], subscriber: str, handlers: EventHandlers, parts: Parts, *, work: Mapping[str, str] | None = None
) -> Starlette:
    """A REST API whose service also reacts to events, on one database. `work`: see SqlEffects."""
    health = Health("mysql", "subscription")
    health.probe("broker", parts.broker.check)
    effects = SqlEffects(subscriber, handlers, parts.database, work)
    consumer = Consumer(subscriber, handlers, effects, parts.broker, report=lambda up, why: health.set("subscription", up, why))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with database_and_consumer(parts.database, consumer, health.set):
            yield

    return service_app(name, routes, health=health, lifespan=lifespan)


@asynccontextmanager
async def answering_503(created: str = "") -> AsyncIterator[None]:
    """Turn a database that cannot be had into a 503; `created` names what may or may not exist then."""
    try:
        yield
    except TransientError as error:
        unsure = f"; it is not known whether {created} was stored" if error.outcome_unknown and created else ""
        raise Problem(503, f"the database does not answer{unsure}") from error


def amount_of(wire: msgspec.Raw, field: str) -> Decimal:
    """The amount of a field of a request. Raises Problem 400 naming it."""
    try:
        return read_money(wire)
    except NoMoney as error:
        raise Problem(400, f"{field} {error}", field=f"{field}.amount" if bytes(wire).startswith(b"{") else field) from error
