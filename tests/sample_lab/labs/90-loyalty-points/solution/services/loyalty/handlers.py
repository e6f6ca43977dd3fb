"""How the Loyalty service reacts to orders."""

from services.contracts.loyalty import PointsGiven

from services.contracts.orders import OrderApproved
from services.messaging.database import Transaction
from services.messaging.events import EventHandlers

SUBSCRIBER = "orderPoints"
order_events = EventHandlers()


@order_events.handles(OrderApproved)
async def give_points(order: OrderApproved, tx: Transaction) -> None:
    """One point for each whole unit of the total."""
    points = int(order.total)
    tx.write("INSERT INTO points (order_id, customer_id, points) VALUES (%s, %s, %s)", order.id, order.customer_id, points)
    tx.publish(PointsGiven(order.id, order.customer_id, points))
