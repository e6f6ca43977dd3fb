"""The event of the Loyalty service."""

from typing import Any, Self

import msgspec

from services.messaging.aggregate_id import AggregateId
from services.messaging.events import DomainEvent

PACKAGE = "io.eventuate.examples.tram.ordersandcustomers.loyalty.domain"


class Given(msgspec.Struct, frozen=True, rename="camel"):
    """The payload of PointsGiven. The order's id travels as the aggregate id."""

    customer_id: AggregateId
    points: int


class PointsGiven(DomainEvent, frozen=True):
    aggregate_type = f"{PACKAGE}.Points"
    event_type = f"{PACKAGE}.PointsGivenEvent"
    payload_type = Given

    order_id: int
    customer_id: int
    points: int

    @property
    def aggregate_id(self) -> int:
        return self.order_id

    def to_payload(self) -> Given:
        return Given(self.customer_id, self.points)

    @classmethod
    def from_payload(cls, aggregate_id: int, payload: Any) -> Self:
        return cls(aggregate_id, payload.customer_id, payload.points)
