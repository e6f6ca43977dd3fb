"""The stories of a customer and of a message."""

from typing import TYPE_CHECKING

from labkit.story.model import LANE_OF, SCHEMA_OF, SERVICE_OF, VIEW, Diagnosis, Story, Told
from labkit.story.tables import Tables
from labkit.story.walk import Walk

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SUBSCRIBERS = {"Order": ("OrderEventConsumer", VIEW), "Customer": ("customerServiceEvents", VIEW)}
ORDERS_SHOWN = 12


def customer_story(connection: "DuckDBPyConnection", customer_id: int) -> Story:
    """Row, CustomerCreated, view, and each order with its reservation and what the view shows."""
    tables = Tables(connection)
    walk = Walk(tables)
    row = tables.row("SELECT credit_limit FROM customers WHERE id = ?", customer_id)
    (reserved,) = tables.row("SELECT coalesce(sum(amount), 0) FROM reservations WHERE customer_id = ?", customer_id) or (0,)
    if reason := tables.unread("tables"):
        walk.unread("row", f"could not be read: {reason}", "customer_db.customer", walk.down("mysql", reason))
    elif row is None:
        (orders,) = tables.row("SELECT count(*) FROM orders WHERE customer_id = ?", customer_id) or (0,)
        text = f"there is no customer {customer_id}"
        walk.stop(
            "row",
            text,
            "customer_db.customer",
            Diagnosis(f"{text}{f', though {orders} orders name it' if orders else ''}.", 'labkit sql "select id, name from customers"'),
        )
    else:
        walk.ok(
            "row", f"may spend {row[0]}, {reserved} is reserved, {row[0] - reserved} available", "customer_db.customer", lane="customers"
        )
        if reserved > row[0]:
            walk.stop(
                "credit",
                f"{reserved} is reserved, which is more than {row[0]}",
                "customer_db.customer_credit_reservations",
                Diagnosis("More is reserved than the customer may spend.", "labkit verify"),
                lane="customers",
            )
        created = next((m for m in tables.told("customer_id = ?", customer_id) if m.event == "CustomerCreated"), None)
        if created is None:
            walk.stop(
                "outbox",
                "CustomerCreated is in no outbox",
                "customer_db.message",
                Diagnosis("customers wrote no CustomerCreated: state and event belong in one transaction.", "labkit logs customers"),
                lane="customers",
            )
        else:
            walk.ok(
                "outbox",
                f"CustomerCreated {created.id}",
                "customer_db.message",
                at=created.created,
                lane="customers",
                event="CustomerCreated",
            )
            walk.relayed("CustomerCreated", created, "customers")
    _view_of_customer(walk, customer_id, row)
    _orders_of_customer(walk, customer_id)
    return Story(_capital(tables.customer(customer_id)), None, "", None, None, None, tuple(walk.hops), walk.diagnosis)


def _view_of_customer(walk: Walk, customer_id: int, row: tuple[object, ...] | None) -> None:
    if reason := walk.tables.unread("view"):
        walk.unread("view", f"could not be read: {reason}", "Redis", walk.down("redis", reason), lane="order-history")
        return
    view = walk.tables.row("SELECT name, credit_limit FROM view_customers WHERE id = ?", customer_id)
    source = f"Redis, customerview:{customer_id}"
    if view is None:
        if row is not None and not walk.stopped:
            walk.stop(
                "view",
                "the view does not know the customer",
                source,
                Diagnosis("order-history wrote no view of this customer.", "labkit logs order-history"),
                lane="order-history",
            )
        return
    if row is not None and view[1] != row[0]:
        walk.stop(
            "view",
            f"the view shows a limit of {view[1]}, {row[0]} would be right",
            source,
            Diagnosis("order-history did not take the limit from CustomerCreated.", "labkit logs order-history"),
            lane="order-history",
        )
        return
    walk.ok(
        "view",
        f'"{view[0]}" with a limit of {view[1]}' if view[0] else "known by orders only, without a name",
        source,
        lane="order-history",
    )


def _orders_of_customer(walk: Walk, customer_id: int) -> None:
    rows = walk.tables.rows(
        "SELECT o.id, o.total, o.state, o.rejection_reason, sum(r.amount), count(r.order_id), v.order_id IS NOT NULL, v.state FROM orders o"
        " LEFT JOIN reservations r ON r.order_id = o.id LEFT JOIN view_orders v ON v.order_id = o.id AND v.customer_id = o.customer_id"
        " WHERE o.customer_id = ? GROUP BY o.id, o.total, o.state, o.rejection_reason, v.order_id, v.state ORDER BY o.id DESC",
        customer_id,
    )
    for order_id, total, state, reason, held, _, in_view, shown in reversed(rows[:ORDERS_SHOWN]):
        text = f"order {order_id}  {total}  {state}{f' {reason}' if reason else ''}"
        wrong = []
        if (state == "APPROVED") != (held is not None) and state != "PENDING":
            wrong.append(f"{held} is reserved for it" if held is not None else "no credit is reserved for it")
        if walk.tables.unread("view") is None and (not in_view or shown != state):
            wrong.append(f"the view shows {shown}" if in_view else "the view does not show it")
        if wrong:
            walk.stop(
                "order",
                f"{text}: {' and '.join(wrong)}",
                "order_db.orders",
                Diagnosis(f"Order {order_id}: {' and '.join(wrong)}.", f"labkit trace order {order_id}"),
            )
        elif state == "PENDING":
            walk.wait("order", text)
        else:
            walk.ok("order", text, "order_db.orders")
    if len(rows) > ORDERS_SHOWN:
        walk.wait("order", f"and {len(rows) - ORDERS_SHOWN} older orders")


def message_story(connection: "DuckDBPyConnection", message_id: str) -> Story:
    """Outbox, each copy in Kafka, and each subscriber."""
    tables = Tables(connection)
    walk = Walk(tables)
    message = tables.message(message_id)
    if message is None:
        unread = [source for source in ("tables", "records") if tables.unread(source)]
        if unread:
            component = {"tables": "mysql", "records": "kafka"}[unread[0]]
            walk.unread(
                "outbox", f"could not be read: {tables.unread(unread[0])}", unread[0], walk.down(component, str(tables.unread(unread[0])))
            )
        else:
            walk.stop(
                "outbox",
                "no outbox and no topic holds this id",
                "outboxes, Kafka",
                Diagnosis(f"Nothing has the id {message_id}.", "labkit events"),
            )
        return Story(f"Message {message_id}", None, "", None, None, None, tuple(walk.hops), walk.diagnosis)
    about = f"order {message.order_id}" if message.order_id is not None else tables.customer(message.customer_id)
    if message.schema:
        walk.ok(
            "outbox",
            f"{message.event or 'a message'} of {about}",
            f"{message.schema}.message" + (f", {message.commit}" if message.commit else ""),
            at=message.created,
            lane=LANE_OF.get(message.schema, ""),
            event=message.event,
        )
    else:
        reason = tables.unread("tables")
        if reason:
            walk.unread("outbox", f"could not be read: {reason}", "MySQL", walk.down("mysql", reason))
        else:
            planted = all(copy.planted for copy in message.copies)
            if planted:
                walk.ok("outbox", "in no outbox: labkit planted it", "the ledger")
            else:
                walk.stop("outbox", "in no outbox", "outboxes", Diagnosis("This message was published past the outbox.", "labkit verify"))
    if message.copies:
        for copy in message.copies:
            walk.ok(
                "broker",
                f"{copy.place}{', planted by labkit' if copy.planted else ''}",
                copy.place,
                at=copy.appended,
                lane=copy.lane,
            )
    elif message.schema:
        walk.relayed(message.event or "it", message, LANE_OF.get(message.schema, "relay"))
    if message.copies or message.taken or message.parked:
        for subscriber in SUBSCRIBERS.get(message.channel, ()):
            walk.stopped = False
            _subscriber(walk, message, subscriber)
    return Story(f"Message {message_id}", message.customer_id, about, None, None, None, tuple(walk.hops), walk.diagnosis)


def _subscriber(walk: Walk, message: Told, subscriber: str) -> None:
    service = SERVICE_OF[subscriber]
    if subscriber in SCHEMA_OF or subscriber in message.parked:
        walk.taken(message.event or "it", message, subscriber)
        return
    if reason := walk.tables.unread("view"):
        walk.unread("consumer", f"could not be read: {reason}", "Redis", walk.down("redis", reason), lane=service)
        return
    assert message.first
    at = walk.tables.row(
        "SELECT position FROM view_positions WHERE topic = ? AND partition_no = ?", message.first.topic, message.first.partition
    )
    if at is not None and at[0] > message.first.offset:
        walk.ok("consumer", f"{service} took it", f"Redis, positions:{subscriber}", lane=service)
    else:
        stands = f"stands at offset {at[0]}" if at else "has taken nothing of this partition yet"
        walk.stop(
            "consumer",
            f"{service} {stands}",
            f"Redis, positions:{subscriber}",
            walk.component(service) or Diagnosis(f"{service} has not reached it yet.", f"labkit logs {service}"),
            lane=service,
        )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
