"""The choreography-based saga over Kafka, with the order history as a CQRS view: labs 1 to 6.

https://microservices.io/patterns/data/saga.html
"""

from labkit.system.customers_and_orders import (
    CUSTOMER_DB,
    CUSTOMERS,
    GATEWAY,
    KAFKA,
    MYSQL,
    ORDER_DB,
    ORDER_HISTORY,
    ORDERS,
    REDIS,
    RELAY,
)
from labkit.system.model import Channel, Form, MessageType, Profile, Reaction, Subscription
from labkit.system.observed_tables import TABLES, VIEWS

PACKAGE = "io.eventuate.examples.tram.ordersandcustomers"
ORDER = Channel(f"{PACKAGE}.orders.domain.Order", "Order", "order")
CUSTOMER = Channel(f"{PACKAGE}.customers.domain.Customer", "Customer", "customer")

FOR_CUSTOMERS, FOR_ORDERS, FOR_THE_VIEW = "OrderEventConsumer", "customerServiceEvents", "customerHistoryServiceEvents"
OF_A_CUSTOMER = {"name": Form.TEXT, "creditLimit": Form.MONEY}
OF_AN_ORDER = {"orderDetails.customerId": Form.NUMBER, "orderDetails.orderTotal": Form.MONEY}
OF_AN_ANSWER = {"customerId": Form.NUMBER, "orderId": Form.NUMBER}
ANSWERS = ("CustomerCreditReserved", "CustomerCreditReservationFailed", "CustomerValidationFailed")

PROFILE = Profile(
    name="choreography",
    sentence="Services react to each other's events; no service is in charge.",
    servers=(MYSQL, KAFKA, REDIS),
    services=(CUSTOMERS, ORDERS, ORDER_HISTORY, RELAY, GATEWAY),
    tables=TABLES,
    views=VIEWS,
    broker="kafka",
    channels=(ORDER, CUSTOMER),
    subscriptions=(
        Subscription("customers", FOR_CUSTOMERS, (ORDER,), CUSTOMER_DB),
        Subscription("orders", FOR_ORDERS, (CUSTOMER,), ORDER_DB),
        Subscription("order-history", FOR_THE_VIEW, (ORDER, CUSTOMER), "redis"),
    ),
    messages=(
        MessageType("CustomerCreated", CUSTOMER, "customers", announces="customer stored", fields=OF_A_CUSTOMER),
        MessageType("OrderCreated", ORDER, "orders", announces="order stored", fields=OF_AN_ORDER),
        MessageType("CustomerCreditReserved", CUSTOMER, "customers", announces="credit reserved", answers="granted", fields=OF_AN_ANSWER),
        MessageType("CustomerCreditReservationFailed", CUSTOMER, "customers", answers="refused", fields=OF_AN_ANSWER),
        MessageType("CustomerValidationFailed", CUSTOMER, "customers", answers="unknown customer", fields=OF_AN_ANSWER),
        MessageType("OrderApproved", ORDER, "orders", announces="order approved", fields=OF_AN_ORDER),
        MessageType("OrderRejected", ORDER, "orders", announces="order rejected", fields=OF_AN_ORDER),
        MessageType("OrderCancelled", ORDER, "orders", announces="order cancelled", fields=OF_AN_ORDER),
    ),
    reactions=(
        Reaction(FOR_CUSTOMERS, "OrderCreated", "answer", then=ANSWERS),
        Reaction(FOR_CUSTOMERS, "OrderCancelled", "release"),
        *(Reaction(FOR_ORDERS, answer, "decision", then=("OrderApproved", "OrderRejected")) for answer in ANSWERS),
    ),
)
