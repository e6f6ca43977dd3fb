"""The projection: the change that each event makes to the view of its customer.

A value that begins with + is added to the stored value (see apply_event.lua), so the view can count.
"""

from collections.abc import Mapping

from services.contracts.customers import CustomerCreated
from services.contracts.orders import OrderApproved, OrderCancelled, OrderCreated, OrderEvent, OrderRejected
from services.messaging.events import EventHandlers
from services.order_history.store import ViewChange

SUBSCRIBER = "customerHistoryServiceEvents"
history_events = EventHandlers()


@history_events.handles(CustomerCreated)
def customer_created(customer: CustomerCreated) -> ViewChange:
    return ViewChange(customer.id, {"name": customer.name, "creditLimit": str(customer.credit_limit)})


@history_events.handles(OrderCreated)
def order_created(order: OrderCreated) -> ViewChange:
    return _order(order, "PENDING", {"orderCount": "+1"})


@history_events.handles(OrderApproved)
def order_approved(order: OrderApproved) -> ViewChange:
    return _order(order, "APPROVED", {"approvedCents": f"+{round(order.total * 100)}"})


@history_events.handles(OrderRejected)
def order_rejected(order: OrderRejected) -> ViewChange:
    return _order(order, "REJECTED")


@history_events.handles(OrderCancelled)
def order_cancelled(order: OrderCancelled) -> ViewChange:
    return _order(order, "CANCELLED")


def _order(order: OrderEvent, state: str, counted: Mapping[str, str] | None = None) -> ViewChange:
    return ViewChange(
        order.customer_id, {f"order:{order.id}:total": str(order.total), **(counted or {})}, (f"order:{order.id}:state", state)
    )
