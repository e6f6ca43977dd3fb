"""The relay process: one relay for each outbox, a listener for hints, and health."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from services.messaging.relay.polling import PollingRelay
from services.messaging.relay_hint import HintListener
from services.mysql.connection import MysqlSettings
from services.settings import Settings
from services.web import Health, service_app
from services.wiring import broker_from, finished, mysql_settings, publishers_with_failpoint


def relay_service() -> Starlette:
    """The relay's app, configured from the environment. Wrong settings end the process with one log line that names them."""
    settings = Settings()
    schemas = settings.text("RELAY_OUTBOXES").split(",")
    outboxes = [mysql_settings(settings, schema.strip()) for schema in schemas]
    hints = settings.address("RELAY_HINT")
    broker = broker_from(settings)
    settings.check()

    open_publisher = publishers_with_failpoint(broker, "relay.after_publish_before_mark")
    health = Health(*(f"{what} {outbox.database}" for outbox in outboxes for what in ("mysql", "publisher")))
    health.probe("broker", broker.check)

    def relay(outbox: MysqlSettings) -> PollingRelay:
        return PollingRelay(outbox, open_publisher, lambda what, up, why: health.set(f"{what} {outbox.database}", up, why))

    relays = {outbox.database: relay(outbox) for outbox in outboxes}

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        listening = HintListener(hints, {schema: relay.news for schema, relay in relays.items()})
        running = [asyncio.create_task(relay.run()) for relay in relays.values()]
        try:
            yield
        finally:
            for relay in relays.values():
                relay.stop()
            await finished(running)
            listening.close()

    return service_app("relay", [], health=health, lifespan=lifespan)
