"""Armed delays of routes."""

import asyncio

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from services.workshop.armed import armed
from services.workshop.failpoint import LOOK_S, write_hit
from services.workshop.fault import NOTHING


def delay_when_armed(route: BaseRoute) -> None:
    """Make `route` wait before it answers while a delay is armed for its name, such as `POST /orders`."""
    if not isinstance(route, Route):
        return
    method = next((m for m in sorted(route.methods or ()) if m != "HEAD"), "GET")
    armed.known_routes.add(f"{method} {route.path}")
    route.app = _delayed(route.app, route.path)


def _delayed(app: ASGIApp, path: str) -> ASGIApp:
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if armed.routes:
            await _wait(f"{scope['method']} {path}")
        await app(scope, receive, send)

    return call


async def _wait(name: str) -> None:
    fault = armed.routes.get(name)
    if fault is None:
        return
    hit, attempt = armed.hits.attempt(fault.id, None)
    write_hit(fault, "delayed", NOTHING, sync=True, hit=hit, attempt=attempt)
    deadline = asyncio.get_running_loop().time() + fault.delay_s
    while armed.has(fault) and (left := deadline - asyncio.get_running_loop().time()) > 0:  # noqa: ASYNC110  (disarmed also by time)
        await asyncio.sleep(min(LOOK_S, left))
