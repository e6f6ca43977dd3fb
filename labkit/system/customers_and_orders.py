"""Customers and Orders: the parts that all profiles share.

A customer has a credit limit, and the total of the customer's open orders must stay within it. The two numbers are in two services.
"""

from labkit.system import default_ports as ports
from labkit.system.model import Server, Service

MYSQL = Server("mysql", "mysql", ports.MYSQL, "MySQL")
KAFKA = Server("kafka", "kafka", ports.KAFKA, "Kafka", user="labkit")
REDIS = Server("redis", "redis", ports.REDIS, "Redis", user="default")  # Redis's name for a client that sends only a password

CUSTOMER_DB, ORDER_DB = "customer_db", "order_db"
VIEW_KEY = "customerview:"  # key prefix of a customer's view

OF_KAFKA = {
    "KAFKA_BOOTSTRAP": "{kafka.address}",
    "KAFKA_USERNAME": "{kafka.user}",
    "KAFKA_PASSWORD": "{kafka.password}",
}
OF_MYSQL = {
    "MYSQL_HOST": "{mysql.host}",
    "MYSQL_PORT": "{mysql.port}",
    "MYSQL_USER": "{account.user}",
    "MYSQL_PASSWORD": "{account.password}",
    "RELAY_HINT": "{relay.address}",
}
OF_REDIS = {
    "REDIS_HOST": "{redis.host}",
    "REDIS_PORT": "{redis.port}",
    "REDIS_PASSWORD": "{redis.password}",
}

CUSTOMERS = Service(
    "customers",
    ports.CUSTOMERS,
    {**OF_KAFKA, **OF_MYSQL, "MYSQL_DATABASE": CUSTOMER_DB},
    account="customer_service",
    schema=CUSTOMER_DB,
    writes=True,
)
ORDERS = Service(
    "orders",
    ports.ORDERS,
    {**OF_KAFKA, **OF_MYSQL, "MYSQL_DATABASE": ORDER_DB},
    account="order_service",
    schema=ORDER_DB,
    writes=True,
)
ORDER_HISTORY = Service("order-history", ports.ORDER_HISTORY, {**OF_KAFKA, **OF_REDIS}, writes=True)
RELAY = Service("relay", ports.RELAY, {**OF_KAFKA, **OF_MYSQL, "RELAY_OUTBOXES": f"{CUSTOMER_DB},{ORDER_DB}"}, account="relay", writes=True)
GATEWAY = Service(
    "gateway",
    ports.GATEWAY,
    {"CUSTOMERS_URL": "{customers.url}", "ORDERS_URL": "{orders.url}", "ORDER_HISTORY_URL": "{order-history.url}"},
)
