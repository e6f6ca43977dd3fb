"""The events of the Customer aggregate. The Customer service publishes them; other services react to them."""

from decimal import Decimal
from typing import Annotated, Any, Self

import msgspec

from services.messaging.aggregate_id import AggregateId
from services.messaging.events import DomainEvent
from services.money import Money, amount_in

CUSTOMER = "io.eventuate.examples.tram.ordersandcustomers.customers.domain.Customer"
PACKAGE = "io.eventuate.examples.tram.ordersandcustomers.customers.domain"


MAX_NAME = 255


class NewCustomer(msgspec.Struct, frozen=True, rename="camel"):
    """The payload of CustomerCreated. The customer's id travels as the aggregate id."""

    name: str
    credit_limit: Money


class _ReadNewCustomer(msgspec.Struct, frozen=True, rename="camel"):
    name: Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
    credit_limit: msgspec.Raw


class CustomerCreated(DomainEvent, frozen=True):
    aggregate_type = CUSTOMER
    event_type = f"{PACKAGE}.CustomerCreatedEvent"
    payload_type = _ReadNewCustomer

    id: int
    name: str
    credit_limit: Decimal

    @property
    def aggregate_id(self) -> int:
        return self.id

    def to_payload(self) -> NewCustomer:
        return NewCustomer(self.name, Money(self.credit_limit))

    @classmethod
    def from_payload(cls, aggregate_id: int, payload: Any) -> Self:
        credit_limit = amount_in("creditLimit", payload.credit_limit)
        if credit_limit < 0:
            raise ValueError("creditLimit must not be negative")
        return cls(aggregate_id, payload.name, credit_limit)


class CustomerAndOrder(msgspec.Struct, frozen=True, rename="camel"):
    """The payload of the three replies to an order."""

    customer_id: AggregateId
    order_id: AggregateId


class CreditAnswer(DomainEvent, frozen=True):
    """The Customer service's reply to one order: whether the customer has enough credit."""

    aggregate_type = CUSTOMER
    payload_type = CustomerAndOrder

    customer_id: int
    order_id: int

    @property
    def aggregate_id(self) -> int:
        return self.customer_id

    def to_payload(self) -> CustomerAndOrder:
        return CustomerAndOrder(self.customer_id, self.order_id)

    @classmethod
    def from_payload(cls, aggregate_id: int, payload: Any) -> Self:
        return cls(aggregate_id, payload.order_id)


class CustomerCreditReserved(CreditAnswer, frozen=True):
    event_type = f"{PACKAGE}.CustomerCreditReservedEvent"


class CustomerCreditReservationFailed(CreditAnswer, frozen=True):
    event_type = f"{PACKAGE}.CustomerCreditReservationFailedEvent"


class CustomerValidationFailed(CreditAnswer, frozen=True):
    """The customer does not exist. The aggregate id is the id of the missing customer."""

    event_type = f"{PACKAGE}.CustomerValidationFailedEvent"
