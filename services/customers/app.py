"""The REST API of the Customer service, and the assembly of the service."""

from decimal import Decimal

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.contracts.customers import MAX_NAME, CustomerCreated
from services.customers import store
from services.customers.domain import Customer
from services.customers.handlers import SUBSCRIBER, order_events
from services.messaging.database import Database, declare_work
from services.money import Money, with_cents
from services.sql_service import Parts, amount_of, answering_503, subscribing_service
from services.web import Problem, empty, path_id, read_json, reply

WORK = {"OrderCreatedEvent": "customer.reserve", "OrderCancelledEvent": "customer.release"}


class CreateCustomer(msgspec.Struct, rename="camel"):
    name: str
    credit_limit: msgspec.Raw


class CreatedCustomer(msgspec.Struct, rename="camel"):
    customer_id: int


class GetCustomer(msgspec.Struct, rename="camel"):
    customer_id: int
    name: str
    credit_limit: Money


class GetCustomers(msgspec.Struct):
    customers: list[GetCustomer]


def _answer(customer: Customer) -> GetCustomer:
    return GetCustomer(customer.id, customer.name, Money(with_cents(customer.credit_limit)))


def _checked(wanted: CreateCustomer) -> tuple[str, Decimal]:
    if not wanted.name.strip():
        raise Problem(400, "name must not be blank", field="name")
    if len(wanted.name) > MAX_NAME:
        raise Problem(400, f"name must have at most {MAX_NAME} characters", field="name")
    credit_limit = amount_of(wanted.credit_limit, "creditLimit")
    if credit_limit < 0:
        raise Problem(400, "creditLimit must not be negative", field="creditLimit.amount")
    return wanted.name, credit_limit


class CustomerApi:
    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self) -> list[Route]:
        return [
            Route("/customers", self.create, methods=["POST"]),
            Route("/customers", self.get_all, methods=["GET"]),
            Route("/customers/{customerId}", self.get, methods=["GET"]),
        ]

    async def create(self, request: Request) -> Response:
        name, credit_limit = _checked(await read_json(request, CreateCustomer))
        async with answering_503("the customer"), self._database.transaction("customer.create") as tx:
            customer_id = await store.insert_customer(tx, name, credit_limit)
            tx.publish(CustomerCreated(customer_id, name, credit_limit))
        return reply(CreatedCustomer(customer_id))

    async def get_all(self, request: Request) -> Response:
        async with answering_503():
            customers = await store.all_customers(self._database)
        return reply(GetCustomers([_answer(customer) for customer in customers]))

    async def get(self, request: Request) -> Response:
        async with answering_503():
            customer = await store.find_customer(self._database, path_id(request, "customerId"))
        return reply(_answer(customer)) if customer else empty(404)


def customer_service(parts: Parts) -> Starlette:
    declare_work("customer.create")
    return subscribing_service("customers", CustomerApi(parts.database).routes(), SUBSCRIBER, order_events, parts, work=WORK)
