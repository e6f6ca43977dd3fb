"""The orchestration-based saga over Kafka: an orchestrator in orders sends commands to customers and waits for the replies.

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

SAGA = "io.eventuate.examples.tram.sagas.customersandorders.orders.sagas.CreateOrderSaga"
COMMANDS = Channel("customerService", "customerService")
REPLIES = Channel(f"{SAGA}-reply", "CreateOrderSaga-reply")

FOR_CUSTOMERS, FOR_THE_SAGA = "customerCommandDispatcher", f"{SAGA}-consumer"
OF_THE_COMMAND = {"customerId": Form.NUMBER, "orderId": Form.NUMBER, "orderTotal": Form.MONEY}
REPLIED = ("CustomerCreditReserved", "CustomerCreditLimitExceeded", "CustomerNotFound")

PROFILE = Profile(
    name="orchestration",
    sentence="An orchestrator in orders sends commands to the other services.",
    servers=(MYSQL, KAFKA, REDIS),
    services=(CUSTOMERS, ORDERS, ORDER_HISTORY, RELAY, GATEWAY),
    tables=TABLES,
    views=VIEWS,
    broker="kafka",
    channels=(COMMANDS, REPLIES),
    subscriptions=(
        Subscription("customers", FOR_CUSTOMERS, (COMMANDS,), CUSTOMER_DB),
        Subscription("orders", FOR_THE_SAGA, (REPLIES,), ORDER_DB),
    ),
    messages=(
        MessageType("ReserveCredit", COMMANDS, "orders", announces="order stored", kind="command", fields=OF_THE_COMMAND),
        MessageType("CustomerCreditReserved", REPLIES, "customers", announces="credit reserved", answers="granted", kind="reply"),
        MessageType("CustomerCreditLimitExceeded", REPLIES, "customers", answers="refused", kind="reply"),
        MessageType("CustomerNotFound", REPLIES, "customers", answers="unknown customer", kind="reply"),
    ),
    reactions=(
        Reaction(FOR_CUSTOMERS, "ReserveCredit", "answer", then=REPLIED),
        *(Reaction(FOR_THE_SAGA, reply, "decision") for reply in REPLIED),
    ),
)
