"""How the Loyalty service reacts to orders."""

from services.contracts.orders import OrderApproved
from services.messaging.database import Transaction
from services.messaging.events import EventHandlers

SUBSCRIBER = "orderPoints"
order_events = EventHandlers()


@order_events.handles(OrderApproved)
async def give_points(order: OrderApproved, tx: Transaction) -> None:
    """TODO: one point for each whole unit of the total."""
