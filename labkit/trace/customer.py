"""The story of a customer: the row, the message that announces it, the view, and each order with its reservation."""

from decimal import Decimal
from typing import TYPE_CHECKING

from labkit.trace.delivery import published, unwritten, written
from labkit.trace.model import Diagnosis, Story
from labkit.trace.tables import EvidenceTables
from labkit.trace.view_hop import view_source
from labkit.trace.walk import Walk

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ORDERS_SHOWN = 12


def customer_story(connection: "DuckDBPyConnection", customer_id: int) -> Story:
    tables = EvidenceTables(connection)
    walk = Walk(tables)
    row = tables.row("SELECT credit_limit FROM customers WHERE id = ?", customer_id)
    limit = row[0] if row else None
    if reason := tables.unread("tables"):
        walk.unread("row", "tables", reason, lane=walk.system.owners["customers"])
    elif limit is None:
        _missing(walk, customer_id)
    else:
        _row(walk, customer_id, limit)
        _stored(walk, customer_id)
    _view(walk, customer_id, limit)
    _orders(walk, customer_id)
    about = tables.customer(customer_id)
    return Story(about[0].upper() + about[1:], None, "", None, None, None, tuple(walk.hops), walk.diagnosis)


def _missing(walk: Walk, customer_id: int) -> None:
    (orders,) = walk.tables.row("SELECT count(*) FROM orders WHERE customer_id = ?", customer_id) or (0,)
    text = f"there is no customer {customer_id}"
    diagnosis = Diagnosis(f"{text}{f', though {orders} orders name it' if orders else ''}.", 'labkit sql "select id, name from customers"')
    walk.stop("row", text, walk.system.sources["customers"], diagnosis, lane=walk.system.owners["customers"])


def _row(walk: Walk, customer_id: int, limit: Decimal) -> None:
    system = walk.system
    (reserved,) = walk.tables.row("SELECT coalesce(sum(amount), 0) FROM reservations WHERE customer_id = ?", customer_id) or (0,)
    text = f"may spend {limit}, {reserved} is reserved, {limit - reserved} available"
    walk.ok("row", text, system.sources["customers"], lane=system.owners["customers"])
    if reserved > limit:
        diagnosis = Diagnosis("More is reserved than the customer may spend.", "labkit verify")
        text = f"{reserved} is reserved, which is more than {limit}"
        walk.stop("credit", text, system.sources["reservations"], diagnosis, lane=system.owners["reservations"])


def _stored(walk: Walk, customer_id: int) -> None:
    """Add the hops of the message that announces the new customer, if the system has one."""
    kind = walk.system.announcing("customer stored")
    if kind is None:
        return
    message = next((m for m in walk.tables.messages_of_customer(customer_id) if m.event == kind.event), None)
    if message is None:
        unwritten(walk, kind, f"{kind.sender} wrote no {kind.event}: state and event belong in one transaction.")
        return
    written(walk, kind, message)
    published(walk, kind.event, message)


def _view(walk: Walk, customer_id: int, limit: Decimal | None) -> None:
    keeper = walk.system.view_keeper
    if keeper is None:
        return
    service = keeper.component
    logs = f"labkit logs {service}"
    lanes = {"lane": service, "origin": walk.system.broker}
    if reason := walk.tables.unread("view"):
        walk.unread("view", "view", reason, **lanes)
        return
    source = view_source(walk, customer_id)
    view = walk.tables.row("SELECT name, credit_limit FROM view_customers WHERE id = ?", customer_id)
    if view is None:
        if limit is not None and not walk.stopped:
            unseen = Diagnosis(f"{service} wrote no view of this customer.", logs)
            walk.stop("view", "the view does not know the customer", source, unseen, **lanes)
        return
    name, shown = view
    if limit is not None and shown != limit:
        kind = walk.system.announcing("customer stored")
        other = Diagnosis(f"{service} did not take the limit from {kind.event if kind else 'the customer'}.", logs)
        walk.stop("view", f"the view shows a limit of {shown}, should be {limit}", source, other, **lanes)
        return
    walk.ok("view", f'"{name}" with a limit of {shown}' if name else "known by orders only, without a name", source, **lanes)


def _orders(walk: Walk, customer_id: int) -> None:
    has_view = walk.system.view_keeper is not None and walk.tables.unread("view") is None
    rows = walk.tables.rows(
        "SELECT o.id, o.total, o.state, o.rejection_reason, sum(r.amount), v.order_id IS NOT NULL, v.state FROM orders o"
        " LEFT JOIN reservations r ON r.order_id = o.id LEFT JOIN view_orders v ON v.order_id = o.id AND v.customer_id = o.customer_id"
        " WHERE o.customer_id = ? GROUP BY o.id, o.total, o.state, o.rejection_reason, v.order_id, v.state ORDER BY o.id DESC",
        customer_id,
    )
    source, lane = walk.system.sources["orders"], walk.system.owners["orders"]
    for order_id, total, state, reason, held, in_view, shown in reversed(rows[:ORDERS_SHOWN]):
        text = f"order {order_id}  {total}  {state}{f' {reason}' if reason else ''}"
        wrong = []
        if (state == "APPROVED") != (held is not None) and state != "PENDING":
            wrong.append(f"{held} is reserved for it" if held is not None else "no credit is reserved for it")
        if has_view and (not in_view or shown != state):
            wrong.append(f"the view shows {shown}" if in_view else "the view does not show it")
        if wrong:
            what = " and ".join(wrong)
            walk.stop(
                "order", f"{text}: {what}", source, Diagnosis(f"Order {order_id}: {what}.", f"labkit trace order {order_id}"), lane=lane
            )
        elif state == "PENDING":
            walk.wait("order", text, lane=lane)
        else:
            walk.ok("order", text, source, lane=lane)
    if len(rows) > ORDERS_SHOWN:
        walk.wait("order", f"and {len(rows) - ORDERS_SHOWN} older orders", lane=lane)
