"""Who subscribes to what, as anybody can see it from outside: groups and topics on Kafka, positions in Redis."""

from dataclasses import dataclass

from labkit.errors import ExitCode, UserError

PACKAGE = "io.eventuate.examples.tram.ordersandcustomers"
PLANTED_BY = "labkit-fault"  # the Kafka header of records that labkit plants: the fault's id
ORDERS = f"{PACKAGE}.orders.domain.Order"
CUSTOMERS = f"{PACKAGE}.customers.domain.Customer"
CHANNELS = {"order": ORDERS, "customer": CUSTOMERS}
TIME = f"{PACKAGE}.time.PassageOfTime"


@dataclass(frozen=True)
class Subscription:
    """A component's subscriber, which is its group on Kafka, and the channels that it takes."""

    component: str
    subscriber: str
    channels: tuple[str, ...]
    keeps_positions: bool = False  # in Redis, in the hash `positions:<subscriber>`


SUBSCRIPTIONS = (
    Subscription("customers", "OrderEventConsumer", (ORDERS,)),
    Subscription("orders", "customerServiceEvents", (CUSTOMERS,)),
    Subscription("order-history", "customerHistoryServiceEvents", (ORDERS, CUSTOMERS), keeps_positions=True),
)
BY_SUBSCRIBER = {s.subscriber: s for s in SUBSCRIPTIONS}


def subscription(name: str) -> Subscription:
    """By the name of a component or of a subscriber. Raises UserError."""
    for each in SUBSCRIPTIONS:
        if name in (each.component, each.subscriber):
            return each
    known = ", ".join(f"{s.component} ({s.subscriber})" for s in SUBSCRIPTIONS)
    raise UserError(f"{name!r} subscribes to nothing; those that do: {known}.", "labkit fault list", exit_code=ExitCode.USAGE)


def channel(name: str) -> str:
    """A channel by its short name `order` or `customer`, or as it is."""
    return CHANNELS.get(name.lower(), name)


def short(channel: str) -> str:
    return next((name for name, full in CHANNELS.items() if full == channel), channel)
