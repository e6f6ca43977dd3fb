"""SQL access to customers and their credit reservations."""

import time
from collections.abc import Collection
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
    """Returns the customer's current credit, locked until the end of the transaction; None for an unknown customer."""
    if (CreditAccount, customer_id) not in tx.locked:
        await lock_customers(tx, {customer_id})
    account: CreditAccount | None = tx.locked[CreditAccount, customer_id]
    return account


async def lock_customers(tx: Transaction, customer_ids: Collection[int]) -> None:
    """Lock several customers in ascending order of their ids. Every transaction uses this order, which prevents deadlocks."""
    ids = sorted(customer_ids)
    some = ", ".join(["%s"] * len(ids))
    customers, reservations = await tx.results(
        (f"SELECT id, amount FROM customer WHERE id IN ({some}) ORDER BY id FOR UPDATE", ids),
        (f"SELECT customer_id, SUM(amount) FROM customer_credit_reservations WHERE customer_id IN ({some}) GROUP BY customer_id", ids),
    )
    reserved = dict(reservations)
    tx.locked.update({(CreditAccount, customer_id): None for customer_id in ids})
    for customer_id, credit_limit in customers:
        tx.locked[CreditAccount, customer_id] = CreditAccount(customer_id, credit_limit, reserved.get(customer_id, Decimal(0)))


def reserve(tx: Transaction, account: CreditAccount, order_id: int, amount: Decimal) -> None:
    account.reserved += amount
    tx.write(
        "INSERT INTO customer_credit_reservations (customer_id, credit_reservations_key, amount) VALUES (%s, %s, %s)",
        *(account.id, order_id, amount),
    )


def release(tx: Transaction, customer_id: int, order_id: int) -> None:
    """Releasing what is not reserved changes nothing."""
    tx.write(
        "DELETE FROM customer_credit_reservations WHERE customer_id = %s AND credit_reservations_key = %s",
        *(customer_id, order_id),
    )
    tx.locked.pop((CreditAccount, customer_id), None)  # the database knows how much it freed
