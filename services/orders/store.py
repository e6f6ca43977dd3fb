"""Orders in SQL."""

from decimal import Decimal
from typing import Any

from services.messaging.database import Database, Transaction
from services.orders.domain import Order, OrderState, RejectionReason

_COLUMNS = "id, customer_id, amount, state, rejection_reason"


def _order(row: tuple[Any, ...]) -> Order:
    order_id, customer_id, total, state, reason = row
    return Order(order_id, customer_id, total, OrderState(state), None if reason is None else RejectionReason(reason))


async def insert_order(tx: Transaction, customer_id: int, total: Decimal) -> int:
    """Returns the new order's id."""
    return await tx.insert("INSERT INTO orders (customer_id, amount, state, version) VALUES (%s, %s, 'PENDING', 0)", customer_id, total)


async def find_order(database: Database, order_id: int) -> Order | None:
    rows = await database.rows(f"SELECT {_COLUMNS} FROM orders WHERE id = %s", order_id)
    return _order(rows[0]) if rows else None


async def all_orders(database: Database) -> list[Order]:
    return [_order(row) for row in await database.rows(f"SELECT {_COLUMNS} FROM orders ORDER BY id")]


async def orders_of(database: Database, customer_id: int) -> list[Order]:
    return [_order(row) for row in await database.rows(f"SELECT {_COLUMNS} FROM orders WHERE customer_id = %s ORDER BY id", customer_id)]


async def lock_order(tx: Transaction, order_id: int) -> Order | None:
    """The order as of now, held until the end of the transaction."""
    row = await tx.row(f"SELECT {_COLUMNS} FROM orders WHERE id = %s FOR UPDATE", order_id)
    return _order(row) if row else None


def change_state(tx: Transaction, order: Order, state: OrderState, reason: RejectionReason | None = None) -> None:
    tx.write(
        "UPDATE orders SET state = %s, rejection_reason = %s, version = version + 1 WHERE id = %s",
        *(state.value, None if reason is None else reason.value, order.id),
    )
