"""The choreography with one more service: loyalty gives points for each approved order."""

from dataclasses import replace

from labkit.system.customers_and_orders import OF_KAFKA, OF_MYSQL, RELAY
from labkit.system.model import Channel, Column, Form, MessageType, ObservedTable, Service, Subscription
from labkit.system.profiles import choreography
from labkit.system.profiles.choreography import ORDER

SCHEMA = "loyalty_db"
LOYALTY = Service(
    "loyalty", 8085, {**OF_KAFKA, **OF_MYSQL, "MYSQL_DATABASE": SCHEMA}, account="loyalty_service", schema=SCHEMA, writes=True
)
OUTBOXES = f"{RELAY.environment['RELAY_OUTBOXES']},{SCHEMA}"
POINTS = Channel("io.eventuate.examples.tram.ordersandcustomers.loyalty.domain.Points", "Points", "order")
POINTS_TABLE = ObservedTable(
    "points",
    "point",
    SCHEMA,
    "points",
    ("order_id",),
    (
        Column("order_id", Form.NUMBER, "for which order"),
        Column("customer_id", Form.NUMBER, "whose points"),
        Column("points", Form.NUMBER, "one for each whole unit of the order's total"),
    ),
)

SHOP = choreography.PROFILE
PROFILE = replace(
    SHOP,
    name="loyalty",
    sentence="Services react to each other's events, and a further one gives points for approved orders.",
    services=tuple(
        part
        for each in SHOP.services
        for part in ((LOYALTY, replace(each, environment={**each.environment, "RELAY_OUTBOXES": OUTBOXES})) if each == RELAY else (each,))
    ),
    tables=(*SHOP.tables, POINTS_TABLE),
    channels=(*SHOP.channels, POINTS),
    subscriptions=(*SHOP.subscriptions, Subscription("loyalty", "orderPoints", (ORDER,), SCHEMA)),
    messages=(*SHOP.messages, MessageType("PointsGiven", POINTS, "loyalty", fields={"points": Form.NUMBER})),
)
