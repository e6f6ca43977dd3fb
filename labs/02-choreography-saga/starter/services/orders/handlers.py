"""How the Order service reacts to the Customer service's decisions about credit."""

from collections.abc import Sequence

from services.contracts.customers import CreditAnswer, CustomerCreditReservationFailed, CustomerCreditReserved
from services.contracts.orders import OrderApproved, OrderRejected
from services.messaging.database import Transaction
from services.messaging.events import DomainEvent, EventHandlers
from services.orders import store
from services.orders.domain import OrderState, RejectionReason

SUBSCRIBER = "customerServiceEvents"
customer_events = EventHandlers()


@customer_events.before_batch
async def lock_orders(events: Sequence[DomainEvent], tx: Transaction) -> None:
    await store.lock_orders(tx, {event.order_id for event in events if isinstance(event, CreditAnswer)})


@customer_events.handles(CustomerCreditReserved)
async def approve(answer: CustomerCreditReserved, tx: Transaction) -> None:
    order = await store.lock_order(tx, answer.order_id)
    if order is not None and order.is_pending:
        store.change_state(tx, order, OrderState.APPROVED)
        tx.publish(OrderApproved(order.id, order.customer_id, order.total))


@customer_events.handles(CustomerCreditReservationFailed)
async def reject_for_credit(answer: CustomerCreditReservationFailed, tx: Transaction) -> None:
    await _reject(answer, RejectionReason.INSUFFICIENT_CREDIT, tx)


async def _reject(answer: CreditAnswer, reason: RejectionReason, tx: Transaction) -> None:
    order = await store.lock_order(tx, answer.order_id)
    if order is not None and order.is_pending:
        store.change_state(tx, order, OrderState.REJECTED, reason)
        tx.publish(OrderRejected(order.id, order.customer_id, order.total))
