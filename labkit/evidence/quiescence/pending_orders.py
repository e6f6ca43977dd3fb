"""The orders of interest that are PENDING: those of a check's own customers, or all."""

from collections.abc import Callable, Sequence
from typing import Any

from labkit.system.model import Profile

PendingOrders = Callable[[Any, Profile], list[int]]
"""A query: a function from a cursor and a profile to the ids of the orders of interest that are PENDING."""


def of_all_customers(cursor: Any, profile: Profile) -> list[int]:
    return _query(cursor, profile, "")


def of_customers(customers: Sequence[int]) -> PendingOrders:
    """Return the query for the orders of these customers."""

    def query(cursor: Any, profile: Profile) -> list[int]:
        if not customers:
            return []
        return _query(cursor, profile, f" AND {profile.table('order').source('customer_id')} IN %s", list(customers))

    return query


def _query(cursor: Any, profile: Profile, condition: str, *values: object) -> list[int]:
    orders = profile.table("order")
    key = orders.source("id")
    cursor.execute(f"SELECT {key} FROM {orders} WHERE {orders.source('state')} = 'PENDING'{condition} ORDER BY {key}", values or None)
    return [order for (order,) in cursor.fetchall()]
