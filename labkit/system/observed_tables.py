"""The tables of the services that labkit observes: their rows and row changes are in the evidence under these names."""

from labkit.system.customers_and_orders import CUSTOMER_DB, ORDER_DB
from labkit.system.model import Column, Form, ObservedTable

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
