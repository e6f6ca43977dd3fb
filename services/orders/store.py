"""SQL access to orders."""

import time
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from services.messaging.database import Database, Transaction
from services.orders.domain import Order, OrderState, RejectionReason

_COLUMNS = "id, customer_id, amount, state, rejection_reason, creation_time"


def _order(row: tuple[Any, ...]) -> Order:
    order_id, customer_id, total, state, reason, created = row
    known_reason = None if reason is None else RejectionReason(reason)
    return Order(order_id, customer_id, total, OrderState(state), known_reason, None if created is None else _time(created))


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)


async def insert_order(tx: Transaction, customer_id: int, total: Decimal) -> Order:
    """Returns the new order with the id that the database assigned."""
    now = time.time_ns() // 1_000_000
    order_id = await tx.insert(
        "INSERT INTO orders (customer_id, amount, state, version, creation_time) VALUES (%s, %s, 'PENDING', 0, %s)",
        *(customer_id, total, now),
    )
    return Order(order_id, customer_id, total, OrderState.PENDING, created=_time(now))


async def find_order(database: Database, order_id: int) -> Order | None:
    rows = await database.rows(f"SELECT {_COLUMNS} FROM orders WHERE id = %s", order_id)
    return _order(rows[0]) if rows else None


async def all_orders(database: Database) -> list[Order]:
    return [_order(row) for row in await database.rows(f"SELECT {_COLUMNS} FROM orders ORDER BY id")]


async def orders_of(database: Database, customer_id: int) -> list[Order]:
    return [_order(row) for row in await database.rows(f"SELECT {_COLUMNS} FROM orders WHERE customer_id = %s ORDER BY id", customer_id)]


async def lock_order(tx: Transaction, order_id: int) -> Order | None:
    """Returns the current order, locked until the end of the transaction; None for an unknown order."""
    if (Order, order_id) not in tx.locked:
        await lock_orders(tx, {order_id})
    order: Order | None = tx.locked[Order, order_id]
    return order


async def lock_orders(tx: Transaction, order_ids: Collection[int]) -> None:
    """Lock several orders in ascending order of their ids. Every transaction uses this order, which prevents deadlocks."""
    ids = sorted(order_ids)
    some = ", ".join(["%s"] * len(ids))
    tx.locked.update({(Order, order_id): None for order_id in ids})
    for row in await tx.rows(f"SELECT {_COLUMNS} FROM orders WHERE id IN ({some}) ORDER BY id FOR UPDATE", *ids):
        tx.locked[Order, row[0]] = _order(row)


def change_state(tx: Transaction, order: Order, state: OrderState, reason: RejectionReason | None = None) -> None:
    tx.write(
        "UPDATE orders SET state = %s, rejection_reason = %s, version = version + 1 WHERE id = %s",
        *(state.value, None if reason is None else reason.value, order.id),
    )
    tx.locked[Order, order.id] = replace(order, state=state, rejection_reason=reason)
