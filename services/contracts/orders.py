"""The events of the Order aggregate. The Order service publishes them; other services react to them."""

from decimal import Decimal
from typing import Any, Self

import msgspec

from services.messaging.aggregate_id import AggregateId
from services.messaging.events import DomainEvent
from services.money import Money, amount_in

ORDER = "io.eventuate.examples.tram.ordersandcustomers.orders.domain.Order"
PACKAGE = "io.eventuate.examples.tram.ordersandcustomers.orders.domain"


class OrderDetails(msgspec.Struct, frozen=True, rename="camel"):
    customer_id: int
    order_total: Money


class DetailsOfOrder(msgspec.Struct, frozen=True, rename="camel"):
    """The payload of every order event. The order's id travels as the aggregate id."""

    order_details: OrderDetails


class _ReadOrderDetails(msgspec.Struct, frozen=True, rename="camel"):
    customer_id: AggregateId
    order_total: msgspec.Raw


class _ReadDetailsOfOrder(msgspec.Struct, frozen=True, rename="camel"):
    order_details: _ReadOrderDetails


class OrderEvent(DomainEvent, frozen=True):
    """An event of one order."""

    aggregate_type = ORDER
    payload_type = _ReadDetailsOfOrder

    id: int
    customer_id: int
    total: Decimal

    @property
    def aggregate_id(self) -> int:
        return self.id

    def to_payload(self) -> DetailsOfOrder:
        return DetailsOfOrder(OrderDetails(self.customer_id, Money(self.total)))

    @classmethod
    def from_payload(cls, aggregate_id: int, payload: Any) -> Self:
        details = payload.order_details
        total = amount_in("orderTotal", details.order_total)
        if total <= 0:
            raise ValueError("orderTotal must be more than zero")
        return cls(aggregate_id, details.customer_id, total)


class OrderCreated(OrderEvent, frozen=True):
    event_type = f"{PACKAGE}.OrderCreatedEvent"


class OrderApproved(OrderEvent, frozen=True):
    event_type = f"{PACKAGE}.OrderApprovedEvent"


class OrderRejected(OrderEvent, frozen=True):
    """The order was rejected. The reason stays inside the Order service and is not published."""

    event_type = f"{PACKAGE}.OrderRejectedEvent"


class OrderCancelled(OrderEvent, frozen=True):
    event_type = f"{PACKAGE}.OrderCancelledEvent"
