"""The projection: the change that each event makes to the view of its customer.

An event writes only its own fields and creates missing ones, so events of different aggregates may come in any order. A state is written
only when it ranks higher than the stored one, so an event may come twice.
"""

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
    return _order(order, "PENDING")


@history_events.handles(OrderApproved)
def order_approved(order: OrderApproved) -> ViewChange:
    return _order(order, "APPROVED")


@history_events.handles(OrderRejected)
def order_rejected(order: OrderRejected) -> ViewChange:
    return _order(order, "REJECTED")


@history_events.handles(OrderCancelled)
def order_cancelled(order: OrderCancelled) -> ViewChange:
    return _order(order, "CANCELLED")


def _order(order: OrderEvent, state: str) -> ViewChange:
    return ViewChange(order.customer_id, {f"order:{order.id}:total": str(order.total)}, (f"order:{order.id}:state", state))
