"""The API gateway: one address for the three services. A plain proxy that passes status and body unchanged in both directions."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from services.settings import Settings
from services.web import Health, Problem, RawResponse, read_body, service_app
from services.web.upstream import Answer, BadAnswer, NoAnswer, Upstream

# In milliseconds. The Java original gives every request 1 s. A POST gets longer here: it waits for a commit, and its caller cannot
# distinguish "too late" from "not done".
GET_TIMEOUT_MS = 1000
POST_TIMEOUT_MS = 5000

_PASSED_ON = {b"content-type", b"allow", b"retry-after"}


def gateway() -> Starlette:
    """The gateway's app, configured from the environment. Wrong settings end the process with one log line that names them."""
    settings = Settings()
    customers = Upstream("customers", settings.text("CUSTOMERS_URL"))
    orders = Upstream("orders", settings.text("ORDERS_URL"))
    order_history = Upstream("order-history", settings.text("ORDER_HISTORY_URL"))
    get_timeout = settings.number("GATEWAY_GET_TIMEOUT_MS", lowest=1, highest=600_000, default=GET_TIMEOUT_MS) / 1000
    post_timeout = settings.number("GATEWAY_POST_TIMEOUT_MS", lowest=1, highest=600_000, default=POST_TIMEOUT_MS) / 1000
    settings.check()

    def get(path: str, upstream: Upstream) -> Route:
        return Route(path, _Proxy(upstream, "GET", get_timeout), methods=["GET"])

    def post(path: str, upstream: Upstream) -> Route:
        return Route(path, _Proxy(upstream, "POST", post_timeout), methods=["POST"])

    # The first matching route answers, so /customers/count precedes /customers/{customerId}.
    routes = [
        post("/orders", orders),
        get("/orders/{orderId}", orders),
        post("/customers", customers),
        get("/customers/count", order_history),
        get("/customers/{customerId}", customers),
        get("/customers/{customerId}/orderhistory", order_history),
        post("/orders/{orderId}/cancel", orders),
        get("/orders/customer/{customerId}", orders),
        get("/customers", customers),
        get("/orders", orders),
    ]
    upstreams = (customers, orders, order_history)
    health = Health()
    for upstream in upstreams:
        health.probe(upstream.name, _ready(upstream, get_timeout))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        for upstream in upstreams:
            upstream.close()

    return service_app("gateway", routes, health=health, lifespan=lifespan, openapi=Path(__file__).with_name("openapi.json"))


class _Proxy:
    """Passes requests of one method on to `upstream`. It is a plain ASGI app because it needs nothing that Starlette prepares for
    handlers."""

    def __init__(self, upstream: Upstream, method: str, timeout: float) -> None:
        self._upstream = upstream
        self._method = method.encode()
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope, receive)
        response = RawResponse(answer.body, answer.status, None)
        response.raw_headers += [header for header in answer.headers if header[0] in _PASSED_ON]
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        """Returns the upstream's answer unchanged. Raises Problem 502, 503 or 504 when there is none."""
        name, is_get = self._upstream.name, self._method == b"GET"
        target = scope["raw_path"] + b"?" + scope["query_string"] if scope["query_string"] else scope["raw_path"]
        body = b"" if is_get else await read_body(Request(scope, receive))
        content_type = None if is_get else next((value for header, value in scope["headers"] if header == b"content-type"), None)
        try:
            return await self._upstream.request(self._method, target, body, content_type=content_type, timeout=self._timeout)
        except TimeoutError:
            unsure = "" if is_get else "; it is not known whether it did what was asked"
            raise Problem(504, f"{name} did not answer within {self._timeout:g} s{unsure}; labkit status") from None
        except BadAnswer as error:
            raise Problem(502, f"{name} answered, but {error}; labkit logs {name}") from None
        except NoAnswer as error:
            raise Problem(503, f"{name} does not answer: {error}; labkit status") from None


def _ready(upstream: Upstream, timeout: float) -> Callable[[], Awaitable[None]]:
    async def ask() -> None:
        if (await upstream.request(b"GET", b"/health", timeout=timeout)).status != 200:
            raise NoAnswer("it is not ready")

    return ask
