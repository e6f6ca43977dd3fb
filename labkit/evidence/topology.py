"""What belongs to the application and therefore counts for stillness: topics, subscriptions, accounts, outboxes.

Whatever else uses the same servers is shown and decides nothing.
"""

from labkit.stack.model import SCHEMAS

ORDER_TOPIC = "io.eventuate.examples.tram.ordersandcustomers.orders.domain.Order"
CUSTOMER_TOPIC = "io.eventuate.examples.tram.ordersandcustomers.customers.domain.Customer"
TOPICS = (CUSTOMER_TOPIC, ORDER_TOPIC)
SUBSCRIPTIONS = {
    "OrderEventConsumer": (ORDER_TOPIC,),  # customers
    "customerServiceEvents": (CUSTOMER_TOPIC,),  # orders
    "customerHistoryServiceEvents": (CUSTOMER_TOPIC, ORDER_TOPIC),  # order-history
}
SUBSCRIBER_COMPONENT = {
    "OrderEventConsumer": "customers",
    "customerServiceEvents": "orders",
    "customerHistoryServiceEvents": "order-history",
}
ACCOUNT_COMPONENT = {"customer_service": "customers", "order_service": "orders"}  # whose open transactions are work in hand
OUTBOXES = SCHEMAS
OWN_TOPICS = (*TOPICS, *(f"{subscriber}.dead-letter" for subscriber in SUBSCRIPTIONS))


def is_own(topic: str) -> bool:
    """Is it one of the application's, or a channel of messages that it gave up?"""
    return topic in OWN_TOPICS
