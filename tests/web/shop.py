"""A small service on services.web, run as a process by the tests: `python shop.py`."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.web import Health, Id, empty, path_id, read_json, reply, serve, service_app


class Money(msgspec.Struct):
    amount: msgspec.Raw


class Order(msgspec.Struct, rename="camel"):
    customer_id: Id
    order_total: Money
    name: str = ""


stored: list[Order] = []


async def create(request: Request) -> Response:
    stored.append(await read_json(request, Order))
    return reply({"orderId": len(stored)})


async def get(request: Request) -> Response:
    order_id = path_id(request, "orderId")
    return reply(stored[order_id - 1]) if 0 < order_id <= len(stored) else empty(404)


async def count(_: Request) -> Response:
    return reply(len(stored))


async def crash(_: Request) -> Response:
    raise RuntimeError("the secret")


health = Health("database")
health.set("database", True)
routes = [
    Route("/orders", create, methods=["POST"]),
    Route("/orders", count, methods=["GET"]),
    Route("/count", count),
    Route("/orders/{orderId}", get),
    Route("/crash", crash),
]

if __name__ == "__main__":
    serve(service_app("shop", routes, health=health))
