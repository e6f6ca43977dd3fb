"""Walk an order's way through the saga and name the first thing that is missing."""

from dataclasses import dataclass
from typing import Any

from labkit.lab.application import Application, Order

_MESSAGE = """
select id, published, json_unquote(json_extract(headers, '$."event-type"')) as type from {schema}.message
where json_unquote(json_extract(headers, '$."event-aggregate-type"')) like %s
  and json_unquote(json_extract({where})) = %s order by id
"""
_RECEIVED = "select 1 from {schema}.received_messages where consumer_id = %s and message_id = %s"
_PARKED = "select cause from {schema}.dead_letter where subscriber = %s and message_id = %s"


@dataclass(frozen=True)
class Missing:
    """The first missing hop of an order."""

    found: str
    next_step: str


def first_missing_hop(app: Application, order: Order) -> Missing:
    """Why this order is still PENDING, as far as the tables tell."""
    created = _messages(app, "order_db", "headers, '$.\"event-aggregate-id\"'", "%orders.domain.Order", order.id)
    created = [m for m in created if m["type"].endswith("OrderCreatedEvent")]
    if not created:
        return Missing(
            "the outbox of orders holds no OrderCreated for it", "does creating an order publish OrderCreated in the same transaction?"
        )
    hop = _delivered(app, created[0], "OrderCreated", "order_db", "customer_db", "OrderEventConsumer", "customers")
    if hop:
        return hop
    answers = _messages(app, "customer_db", "payload, '$.orderId'", "%customers.domain.Customer", order.id)
    if not answers:
        return Missing(
            "customers received OrderCreated and answered nothing",
            "which handler of customers takes OrderCreated, and does it always answer?",
        )
    name = answers[0]["type"].rpartition(".")[2].removesuffix("Event")
    hop = _delivered(app, answers[0], name, "customer_db", "order_db", "customerServiceEvents", "orders")
    if hop:
        return hop
    return Missing(f"orders received {name} and did nothing with it: nobody reacts to {name}", f"which handler of orders takes {name}?")


def _messages(app: Application, schema: str, where: str, aggregate: str, order_id: int) -> list[dict[str, Any]]:
    return app.sql(_MESSAGE.format(schema=schema, where=where), aggregate, str(order_id))


def _delivered(
    app: Application, message: dict[str, Any], name: str, sender: str, receiver: str, subscriber: str, service: str
) -> Missing | None:
    """The first missing hop between an outbox row and the inbox of its subscriber."""
    if not message["published"]:
        return Missing(f"{name} waits in the outbox of {sender}: the relay has not published it", "labkit logs relay")
    if app.sql(_RECEIVED.format(schema=receiver), subscriber, message["id"]):
        return None
    parked = app.sql(_PARKED.format(schema=receiver), subscriber, message["id"])
    if parked:
        last_line = parked[0]["cause"].strip().splitlines()[-1]
        return Missing(f"{service} gave {name} up and parked it: {last_line}", f"labkit logs {service}")
    return Missing(f"{name} was published, and {service} has not taken it", f"labkit logs {service}")
