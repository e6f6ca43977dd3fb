"""Customers and Orders: what all profiles share of it.

A customer has a credit limit; the total of a customer's open orders must stay within it. The two numbers live in two services.
"""

from labkit.system.model import Server, Service

MYSQL = Server("mysql", "mysql", 3306)
KAFKA = Server("kafka", "kafka", 9092)
REDIS = Server("redis", "redis", 6379)

CUSTOMER_DB, ORDER_DB = "customer_db", "order_db"

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
    8082,
    {**OF_KAFKA, **OF_MYSQL, "MYSQL_DATABASE": CUSTOMER_DB},
    account="customer_service",
    schema=CUSTOMER_DB,
    writes=True,
)
ORDERS = Service(
    "orders",
    8083,
    {**OF_KAFKA, **OF_MYSQL, "MYSQL_DATABASE": ORDER_DB},
    account="order_service",
    schema=ORDER_DB,
    writes=True,
)
ORDER_HISTORY = Service("order-history", 8084, {**OF_KAFKA, **OF_REDIS}, writes=True)
RELAY = Service("relay", 8090, {**OF_KAFKA, **OF_MYSQL, "RELAY_OUTBOXES": f"{CUSTOMER_DB},{ORDER_DB}"}, account="relay", writes=True)
GATEWAY = Service(
    "gateway",
    8081,
    {"CUSTOMERS_URL": "{customers.url}", "ORDERS_URL": "{orders.url}", "ORDER_HISTORY_URL": "{order-history.url}"},
)
