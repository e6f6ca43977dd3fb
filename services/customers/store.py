"""Customers and their credit reservations in SQL."""

import time
from decimal import Decimal

from services.customers.domain import CreditAccount, Customer
from services.messaging.database import Database, Transaction


async def insert_customer(tx: Transaction, name: str, credit_limit: Decimal) -> int:
    """Returns the new customer's id."""
    return await tx.insert(
        "INSERT INTO customer (name, amount, creation_time, version) VALUES (%s, %s, %s, 0)",
        *(name, credit_limit, int(time.time() * 1000)),
    )


async def find_customer(database: Database, customer_id: int) -> Customer | None:
    rows = await database.rows("SELECT id, name, amount FROM customer WHERE id = %s", customer_id)
    return Customer(*rows[0]) if rows else None


async def all_customers(database: Database) -> list[Customer]:
    return [Customer(*row) for row in await database.rows("SELECT id, name, amount FROM customer ORDER BY id")]


async def lock_customer(tx: Transaction, customer_id: int) -> CreditAccount | None:
    """The customer's credit as of now, held until the end of the transaction."""
    customer = await tx.row("SELECT id, amount FROM customer WHERE id = %s FOR UPDATE", customer_id)
    if customer is None:
        return None
    reserved = await tx.row("SELECT COALESCE(SUM(amount), 0) FROM customer_credit_reservations WHERE customer_id = %s", customer_id)
    assert reserved is not None
    return CreditAccount(*customer, *reserved)


def reserve(tx: Transaction, customer_id: int, order_id: int, amount: Decimal) -> None:
    tx.write(
        "INSERT INTO customer_credit_reservations (customer_id, credit_reservations_key, amount) VALUES (%s, %s, %s)",
        *(customer_id, order_id, amount),
    )


def release(tx: Transaction, customer_id: int, order_id: int) -> None:
    """Releasing what is not reserved changes nothing."""
    tx.write(
        "DELETE FROM customer_credit_reservations WHERE customer_id = %s AND credit_reservations_key = %s",
        *(customer_id, order_id),
    )
