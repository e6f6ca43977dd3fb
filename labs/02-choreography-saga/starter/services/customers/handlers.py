"""How the Customer service reacts to orders."""

from collections.abc import Sequence

from services.contracts.customers import CustomerCreditReservationFailed, CustomerCreditReserved, CustomerValidationFailed
from services.contracts.orders import OrderCreated, OrderEvent
from services.customers import store
from services.messaging.database import Transaction
from services.messaging.events import DomainEvent, EventHandlers

SUBSCRIBER = "OrderEventConsumer"
order_events = EventHandlers()


@order_events.before_batch
async def lock_customers(events: Sequence[DomainEvent], tx: Transaction) -> None:
    await store.lock_customers(tx, {event.customer_id for event in events if isinstance(event, OrderEvent)})


@order_events.handles(OrderCreated)
async def reserve_credit(order: OrderCreated, tx: Transaction) -> None:
    """Answer every order with exactly one of: reserved, limit exceeded, unknown customer."""
    customer = await store.lock_customer(tx, order.customer_id)
    if customer is None:
        tx.publish(CustomerValidationFailed(order.customer_id, order.id))
    elif customer.available_credit >= order.total:
        store.reserve(tx, customer, order.id, order.total)
        tx.publish(CustomerCreditReserved(customer.id, order.id))
    else:
        tx.publish(CustomerCreditReservationFailed(customer.id, order.id))
