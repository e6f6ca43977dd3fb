"""The document that the order history returns, built from the fields of a customer's view."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from services.money import Money, with_cents


class OrderInView(msgspec.Struct, frozen=True, rename="camel"):
    order_id: int
    state: str | None
    order_total: Money | None


class CustomerView(msgspec.Struct, frozen=True, rename="camel"):
    id: int
    orders: dict[str, OrderInView]
    name: str
    credit_limit: Money
    order_count: int
    total_approved: Money


def document_of(customer_id: int, fields: Mapping[str, str]) -> CustomerView:
    """`fields` are those that the projection writes: name, creditLimit, orderCount, approvedCents, order:<id>:state, order:<id>:total."""
    parts: dict[str, dict[str, str]] = {}
    for field, value in fields.items():
        if field.startswith("order:"):
            _, order_id, what = field.split(":")
            parts.setdefault(order_id, {})[what] = value
    orders = {order_id: _order(order_id, parts[order_id]) for order_id in sorted(parts, key=int)}
    return CustomerView(
        id=customer_id,
        orders=orders,
        name=fields["name"],
        credit_limit=Money(with_cents(Decimal(fields["creditLimit"]))),
        order_count=int(fields.get("orderCount", "0")),
        total_approved=Money(with_cents(Decimal(fields.get("approvedCents", "0")) / 100)),
    )


def _order(order_id: str, parts: Mapping[str, str]) -> OrderInView:
    return OrderInView(int(order_id), parts.get("state"), _money(parts.get("total")))


def _money(text: str | None) -> Money | None:
    return None if text is None else Money(with_cents(Decimal(text)))
