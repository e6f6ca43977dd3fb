"""What must hold between the stores for a customer and some orders: invariants I1, I2, I3 and I7 in plain SQL."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from labkit.lab.application import CUSTOMER_CHANNEL, ORDER_CHANNEL, Application, Customer, Order

_RESERVATIONS = "select customer_id, credit_reservations_key as order_id, amount from customer_db.customer_credit_reservations"


def disagreements(app: Application, customer: Customer, orders: Sequence[Order]) -> Iterator[tuple[str, str, str]]:
    """(sentence, expected, found) for each way in which the tables disagree about these orders."""
    ids = [order.id for order in orders]
    rows = app.sql(f"select id, customer_id, amount, state from order_db.orders where id in ({_some(ids)}) order by id", *ids)
    held = app.sql(f"{_RESERVATIONS} where credit_reservations_key in ({_some(ids)})", *ids)
    for row in rows:
        mine = [r for r in held if r["order_id"] == row["id"]]
        who = f"Order {row['id']} ({row['amount']}) is {row['state']}"
        if row["state"] == "PENDING":
            yield f"{who}: its saga has not ended.", "no PENDING order", "PENDING"
        elif row["state"] == "APPROVED":
            if [(r["customer_id"], r["amount"]) for r in mine] != [(row["customer_id"], row["amount"])]:
                expected = f"one reservation of {row['amount']} for customer {row['customer_id']}"
                yield f"{who}, but its credit is not reserved.", expected, _reservations(mine)
        elif mine:
            yield f"{who}, but credit is still reserved for it.", "no reservation", _reservations(mine)
    reserved = sum((r["amount"] for r in app.sql(f"{_RESERVATIONS} where customer_id = %s", customer.id)), Decimal(0))
    if reserved > customer.limit:
        sentence = f'Customer {customer.id} "{customer.name}" may spend {customer.limit}, and {reserved} is reserved.'
        yield sentence, f"at most {customer.limit}", str(reserved)


def _reservations(rows: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{r['amount']} for customer {r['customer_id']}" for r in rows) or "no reservation"


def _some(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))


def own_message_ids(app: Application, customer: Customer, orders: Sequence[Order]) -> set[str]:
    """The ids of the outbox rows about this customer and these orders."""
    by_key = "select id from {}.message where destination = %s and json_unquote(json_extract(headers, '$.PARTITION_ID')) in ({})"
    orders_keys = [str(order.id) for order in orders]
    customer_keys = [str(customer.id), *(str(order.customer_id) for order in orders)]
    rows = app.sql(by_key.format("order_db", _some(orders_keys)), ORDER_CHANNEL, *orders_keys)
    rows += app.sql(by_key.format("customer_db", _some(customer_keys)), CUSTOMER_CHANNEL, *customer_keys)
    return {row["id"] for row in rows}


def published(app: Application, ids: set[str]) -> bool:
    """Has the relay marked all of them?"""
    some = _some(list(ids))
    waiting = [
        row
        for schema in ("order_db", "customer_db")
        for row in app.sql(f"select id from {schema}.message where published = 0 and id in ({some})", *ids)
    ]
    return not waiting


def expected_view(app: Application, customer_id: int) -> dict[str, str]:
    """The view that the owners' tables amount to."""
    fields: dict[str, str] = {}
    for row in app.sql("select name, amount from customer_db.customer where id = %s", customer_id):
        fields |= {"name": row["name"], "creditLimit": str(row["amount"])}
    for row in app.sql("select id, amount, state from order_db.orders where customer_id = %s", customer_id):
        fields |= {f"order:{row['id']}:total": str(row["amount"]), f"order:{row['id']}:state": row["state"]}
    return fields


def view_differences(expected: Mapping[str, str], view: Mapping[str, str]) -> list[tuple[str, str | None, str | None]]:
    """(field, expected, found) for each field that differs; amounts are compared as numbers."""
    fields = sorted(set(expected) | set(view))
    pairs = [(field, expected.get(field), view.get(field)) for field in fields]
    return [(field, wanted, found) for field, wanted, found in pairs if not _same(field, wanted, found)]


def _same(field: str, wanted: str | None, found: str | None) -> bool:
    if wanted is None or found is None or not field.endswith(("total", "creditLimit")):
        return wanted == found
    try:
        return Decimal(wanted) == Decimal(found)
    except ArithmeticError:
        return False
