"""The Order service's REST API, and how its parts are put together."""

from decimal import Decimal

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.contracts.orders import OrderCancelled, OrderCreated
from services.messaging.aggregate_id import MAX_ID
from services.messaging.database import Database, declare_work
from services.orders import store
from services.orders.domain import CannotCancel, Order
from services.orders.handlers import SUBSCRIBER, customer_events
from services.sql_service import Parts, amount_of, answering_503, subscribing_service
from services.web import Problem, empty, path_id, read_json, reply

WORK = {
    "CustomerCreditReservedEvent": "order.approve",
    "CustomerCreditReservationFailedEvent": "order.reject",
    "CustomerValidationFailedEvent": "order.reject",
}


class CreateOrder(msgspec.Struct, rename="camel"):
    customer_id: int
    order_total: msgspec.Raw


class CreatedOrder(msgspec.Struct, rename="camel"):
    order_id: int


class GetOrder(msgspec.Struct, rename="camel"):
    order_id: int
    order_state: str
    rejection_reason: str | None


class GetOrders(msgspec.Struct):
    orders: list[GetOrder]


def _answer(order: Order) -> GetOrder:
    reason = None if order.rejection_reason is None else order.rejection_reason.name
    return GetOrder(order.id, order.state.value, reason)


def _checked(wanted: CreateOrder) -> tuple[int, Decimal]:
    if not 0 < wanted.customer_id <= MAX_ID:
        raise Problem(400, f"customerId must be between 1 and {MAX_ID}", field="customerId")
    total = amount_of(wanted.order_total, "orderTotal")
    if total <= 0:
        raise Problem(400, "orderTotal must be more than zero", field="orderTotal.amount")
    return wanted.customer_id, total


class OrderApi:
    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self) -> list[Route]:
        return [
            Route("/orders", self.create, methods=["POST"]),
            Route("/orders", self.get_all, methods=["GET"]),
            Route("/orders/customer/{customerId}", self.get_of_customer, methods=["GET"]),
            Route("/orders/{orderId}", self.get, methods=["GET"]),
            Route("/orders/{orderId}/cancel", self.cancel, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        """The order is accepted, not approved: whether it is will be decided by the Customer service."""
        customer_id, total = _checked(await read_json(request, CreateOrder))
        async with answering_503("the order"), self._database.transaction("order.create") as tx:
            order = await store.insert_order(tx, customer_id, total)
            tx.publish(OrderCreated(order.id, customer_id, total))
        return reply(CreatedOrder(order.id))

    async def cancel(self, request: Request) -> Response:
        order_id = path_id(request, "orderId")
        try:
            async with answering_503(), self._database.transaction("order.cancel") as tx:
                order = await store.lock_order(tx, order_id)
                if order is None:
                    return empty(404)
                cancelled = order.cancelled()
                store.change_state(tx, order, cancelled.state)
                tx.publish(OrderCancelled(order.id, order.customer_id, order.total))
        except CannotCancel as error:
            raise Problem(409, str(error)) from error
        return reply(_answer(cancelled))

    async def get_all(self, request: Request) -> Response:
        async with answering_503():
            orders = await store.all_orders(self._database)
        return reply(GetOrders([_answer(order) for order in orders]))

    async def get_of_customer(self, request: Request) -> Response:
        async with answering_503():
            orders = await store.orders_of(self._database, path_id(request, "customerId"))
        return reply([_answer(order) for order in orders])

    async def get(self, request: Request) -> Response:
        async with answering_503():
            order = await store.find_order(self._database, path_id(request, "orderId"))
        return reply(_answer(order)) if order else empty(404)


def order_service(parts: Parts) -> Starlette:
    declare_work("order.create", "order.cancel")
    return subscribing_service("orders", OrderApi(parts.database).routes(), SUBSCRIBER, customer_events, parts, work=WORK)
