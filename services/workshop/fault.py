"""An armed fault, and what it is matched against: a message in transit, or a unit of work."""

import msgspec


def identity_of(message_id: object, channel: object, partition: object, position: object) -> str | None:
    """The message's id, or the position of its record when it has no id."""
    return str(message_id) if message_id else f"{channel}:{partition}:{position}" if position is not None else None


class Fault(msgspec.Struct, frozen=True):
    """One entry of the armed file. `kind` says which of the other fields apply; None matches everything."""

    id: str
    kind: str  # gate, watch, crash, barrier, delay or switch
    target: str  # the component
    until: float | None = None  # epoch seconds after which the fault is ignored
    point: str | None = None  # crash, barrier: the failpoint
    hit: int = 1  # crash: the number of the first attempt at which it happens
    parties: int = 2  # barrier: how many must meet
    timeout_s: float = 2.0  # barrier
    delay_s: float = 0.0  # delay
    route: str | None = None  # delay: `POST /orders`; without a route it delays a subscriber
    name: str | None = None  # switch
    value: str | None = None  # switch
    subscriber: str | None = None
    channel: str | None = None
    partition: int | None = None
    message_id: str | None = None
    event_type: str | None = None  # in full, or only the last part, with or without `Event`
    key: str | None = None
    release_after: str | None = None  # gate: opens by itself after the subscriber has processed the message with this id

    def matches(self, about: "About") -> bool:
        return (
            (self.partition is None or self.partition == about.partition)
            and (self.message_id is None or self.message_id == about.message_id)
            and (self.key is None or self.key == about.key)
            and (self.channel is None or self.channel == about.channel)
            and (self.subscriber is None or self.subscriber == about.subscriber)
            and (self.event_type is None or self.event_type in _names(about.event_type))
        )


class About(msgspec.Struct, frozen=True):
    """What reaches a failpoint: a message in transit, or the unit of work of a request."""

    message_id: str | None = None
    event_type: str = ""
    key: str | None = None
    subscriber: str | None = None
    channel: str | None = None
    partition: int | None = None
    position: str | None = None

    @property
    def identity(self) -> str | None:
        """Stays the same when the message is redelivered; None when there is no such value."""
        return identity_of(self.message_id, self.channel, self.partition, self.position)


NOTHING = About()


def _names(event_type: str) -> tuple[str, str, str]:
    """The names that match an event type: `…orders.domain.events.OrderCreatedEvent`, `OrderCreatedEvent`, `OrderCreated`."""
    last = event_type.rpartition(".")[2]
    return event_type, last, last.removesuffix("Event")
