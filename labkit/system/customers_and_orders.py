"""Customers and Orders: the parts that all profiles share.

A customer has a credit limit, and the total of the customer's open orders must stay within it. The two numbers are in two services.
"""

from labkit.system.model import Column, Form, ObservedTable, Server, Service

MYSQL = Server("mysql", "mysql", 3306, "MySQL")
KAFKA = Server("kafka", "kafka", 9092, "Kafka", user="labkit")
REDIS = Server("redis", "redis", 6379, "Redis", user="default")  # Redis's name for a client that sends only a password

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

CUSTOMER_TABLE = ObservedTable(
    "customers",
    "customer",
    CUSTOMER_DB,
    "customer",
    ("id",),
    (
        Column("id", Form.NUMBER, "primary key"),
        Column("name", Form.TEXT, "as given at creation"),
        Column("credit_limit", Form.MONEY, "customer.amount", column="amount"),
        Column(
            "created",
            Form.MILLISECONDS,
            "customer.creation_time: the service's clock, milliseconds",
            column="creation_time",
            followed=False,
            optional=True,
        ),
        Column("version", Form.NUMBER, "counts changes", followed=False, optional=True),
    ),
)
ORDER_TABLE = ObservedTable(
    "orders",
    "order",
    ORDER_DB,
    "orders",
    ("id",),
    (
        Column("id", Form.NUMBER, "primary key"),
        Column("customer_id", Form.NUMBER, "as the client named it; the customer may not exist"),
        Column("total", Form.MONEY, "orders.amount", column="amount"),
        Column("state", Form.TEXT, "PENDING, APPROVED, REJECTED, CANCELLED"),
        Column(
            "rejection_reason",
            Form.CODED,
            "INSUFFICIENT_CREDIT, UNKNOWN_CUSTOMER, or NULL",
            codes=("INSUFFICIENT_CREDIT", "UNKNOWN_CUSTOMER"),
        ),
        Column("version", Form.NUMBER, "counts changes", followed=False, optional=True),
    ),
)
RESERVATION_TABLE = ObservedTable(
    "reservations",
    "reservation",
    CUSTOMER_DB,
    "customer_credit_reservations",
    ("customer_id", "order_id"),
    (
        Column("customer_id", Form.NUMBER, "whose credit"),
        Column("order_id", Form.NUMBER, "for which order (credit_reservations_key)", column="credit_reservations_key"),
        Column("amount", Form.MONEY, "how much"),
    ),
)
VIEWS = """-- What each customer may still spend, by the tables.
CREATE VIEW credit AS
  SELECT c.id AS customer_id, c.name, c.credit_limit,
    coalesce(sum(r.amount), 0) AS reserved, c.credit_limit - coalesce(sum(r.amount), 0) AS available
  FROM customers c LEFT JOIN reservations r ON r.customer_id = c.id GROUP BY c.id, c.name, c.credit_limit;
"""
TABLES = (CUSTOMER_TABLE, ORDER_TABLE, RESERVATION_TABLE)
