"""The Order History service's REST API, and how its parts are put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.messaging.consumer import Consumer
from services.order_history.effects import ViewEffects
from services.order_history.store import ViewStore
from services.order_history.view import SUBSCRIBER, history_events
from services.settings import Settings
from services.web import Health, Problem, empty, path_id, reply, service_app
from services.wiring import broker_from, finished


class OrderHistoryApi:
    def __init__(self, store: ViewStore) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        return [
            Route("/customers/count", self.count, methods=["GET"]),
            Route("/customers/{customerId}/orderhistory", self.get, methods=["GET"]),
        ]

    async def get(self, request: Request) -> Response:
        customer_id = path_id(request, "customerId")
        try:
            view = await self._store.view(customer_id)
        except (RedisError, OSError) as error:
            raise Problem(503, "the view's store does not answer") from error
        return reply(view) if view else empty(404)

    async def count(self, request: Request) -> Response:
        try:
            return reply(await self._store.count())
        except (RedisError, OSError) as error:
            raise Problem(503, "the view's store does not answer") from error


def order_history_service() -> Starlette:
    """The service's app, configured from the environment. Wrong settings end the process with one log line that names them."""
    settings = Settings()
    host, port, password = settings.text("REDIS_HOST"), settings.number("REDIS_PORT", lowest=1), settings.optional("REDIS_PASSWORD")
    broker = broker_from(settings)
    settings.check()

    store = ViewStore(Redis(host=host, port=port, password=password, socket_connect_timeout=2, socket_timeout=5), SUBSCRIBER)
    health = Health("subscription")
    health.probe("redis", store.ping)
    health.probe("broker", broker.check)
    consumer = Consumer(SUBSCRIBER, history_events, ViewEffects(store), broker, report=lambda up, why: health.set("subscription", up, why))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        consuming = asyncio.create_task(consumer.run())
        try:
            yield
        finally:
            consumer.stop()
            await finished([consuming])
            await store.close()

    return service_app("order-history", OrderHistoryApi(store).routes(), health=health, lifespan=lifespan)
