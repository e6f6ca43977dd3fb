"""The document that the order history returns, built from the fields of a customer's view.

Totals are computed for each read and never stored: a total that is not stored cannot be counted twice.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from services.money import Money, with_cents


class OrderInView(msgspec.Struct, frozen=True, rename="camel"):
    order_id: int
    state: str | None
    order_total: Money | None


class CustomerView(msgspec.Struct, frozen=True, rename="camel"):
    """A customer known only from orders has no name and no limit yet."""

    id: int
    orders: dict[str, OrderInView]
    name: str | None
    credit_limit: Money | None
    order_count: int
    total_approved: Money


def document_of(customer_id: int, fields: Mapping[str, str]) -> CustomerView:
    """`fields` are those that the projection writes: name, creditLimit, order:<id>:state, order:<id>:total."""
    parts: dict[str, dict[str, str]] = {}
    for field, value in fields.items():
        if field.startswith("order:"):
            _, order_id, what = field.split(":")
            parts.setdefault(order_id, {})[what] = value
    orders = {order_id: _order(order_id, parts[order_id]) for order_id in sorted(parts, key=int)}
    approved = [order.order_total.amount for order in orders.values() if order.state == "APPROVED" and order.order_total]
    return CustomerView(
        id=customer_id,
        orders=orders,
        name=fields.get("name"),
        credit_limit=_money(fields.get("creditLimit")),
        order_count=len(orders),
        total_approved=Money(with_cents(sum(approved, Decimal(0)))),
    )


def _order(order_id: str, parts: Mapping[str, str]) -> OrderInView:
    return OrderInView(int(order_id), parts.get("state"), _money(parts.get("total")))


def _money(text: str | None) -> Money | None:
    return None if text is None else Money(with_cents(Decimal(text)))
