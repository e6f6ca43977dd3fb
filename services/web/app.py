"""A service's Starlette app: its routes, health, and a problem document for every error."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.log import log
from services.web.health import Health
from services.web.log import stack
from services.web.problem import Problem, empty
from services.workshop.control import under_control, under_control_at_all
from services.workshop.delay import delay_when_armed

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def service_app(
    name: str, routes: Sequence[BaseRoute], *, health: Health, lifespan: Lifespan | None = None, openapi: Path | None = None
) -> Starlette:
    """The app of service `name`: `routes`, GET /health and /actuator/health. With `openapi`, the path of a JSON document, also
    /openapi.json, /v3/api-docs and a Swagger page at /swagger-ui/index.html."""

    async def answer_health(_: Request) -> Response:
        return await health.response()

    extra = [Route("/health", answer_health), Route("/actuator/health", answer_health)]
    if openapi is not None:
        from services.web.swagger import swagger_routes

        extra += swagger_routes(name, openapi)
    handlers: dict[Any, Any] = {Problem: _problem, HTTPException: _http_error, ClientDisconnect: _gone, Exception: _crash}
    if under_control_at_all():
        for route in routes:
            delay_when_armed(route)
    app = Starlette(routes=[*routes, *extra], exception_handlers=handlers, lifespan=_under_control(lifespan))
    app.router.redirect_slashes = False
    return app


def _under_control(lifespan: Lifespan | None) -> Lifespan:
    """Load the armed faults before the service does anything."""

    @asynccontextmanager
    async def both(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(under_control())
            if lifespan is not None:
                await stack.enter_async_context(lifespan(app))
            yield

    return both


async def _problem(_: Request, error: Problem) -> Response:
    return error.response()


async def _http_error(request: Request, error: HTTPException) -> Response:
    """Answers Starlette's own errors: an unknown route, or a method that the route does not support."""
    path = request.scope["path"][:200]
    said = {404: f"there is no {path}", 405: f"{path} has no {request.method}"}
    headers = {"Allow": _methods(request)} if error.status_code == 405 else error.headers
    return Problem(error.status_code, said.get(error.status_code, str(error.detail)), headers=headers).response()


def _methods(request: Request) -> str:
    """The methods of all routes of this path; Starlette knows only the first route. HEAD is implied by GET."""
    path = request.scope["path"]
    routes = [route for route in request.app.routes if isinstance(route, Route) and route.path_regex.match(path)]
    return ", ".join(sorted({method for route in routes for method in route.methods or ()} - {"HEAD"}))


async def _gone(_: Request, __: ClientDisconnect) -> Response:
    return empty(400)  # the client closed before its body was complete; nobody reads this answer


_next_full_trace = 0.0


async def _crash(request: Request, error: Exception) -> Response:
    """Answer a bug with 500. The client sees no internals. The log gets the full traceback, at most once a second."""
    global _next_full_trace
    now = time.monotonic()
    fields = {"method": request.method, "path": request.scope["path"], "error": repr(error)}
    if now >= _next_full_trace:
        _next_full_trace = now + 1.0
        fields["traceback"] = stack(error)
    log("a request failed", level="error", **fields)
    return Problem(500, "the service failed on this request; its log says why").response()
