"""A fault that is armed, and what it is compared with: a message on its way, or a unit of work."""

import msgspec


def identity_of(message_id: object, channel: object, partition: object, position: object) -> str | None:
    """A message's id, else the place of its record."""
    return str(message_id) if message_id else f"{channel}:{partition}:{position}" if position is not None else None


class Fault(msgspec.Struct, frozen=True):
    """One entry of the armed file. `kind` says which of the others count; None matches everything."""

    id: str
    kind: str  # gate, watch, crash, barrier, delay or switch
    target: str  # the component
    until: float | None = None  # epoch seconds from which it is as if it were not there
    point: str | None = None  # crash, barrier: the failpoint
    hit: int = 1  # crash: at which first attempt
    parties: int = 2  # barrier: how many must meet
    timeout_s: float = 2.0  # barrier
    delay_s: float = 0.0  # delay
    route: str | None = None  # delay: `POST /orders`; without one it delays a subscriber
    name: str | None = None  # switch
    value: str | None = None  # switch
    subscriber: str | None = None
    channel: str | None = None
    partition: int | None = None
    message_id: str | None = None
    event_type: str | None = None  # in full, or its last part with or without `Event`
    key: str | None = None
    release_after: str | None = None  # gate: opens by itself when the subscriber has taken the message with this id

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
    """What passes by: a message on its way, or a unit of work of a request."""

    message_id: str | None = None
    event_type: str = ""
    key: str | None = None
    subscriber: str | None = None
    channel: str | None = None
    partition: int | None = None
    position: str | None = None

    @property
    def identity(self) -> str | None:
        """What stays the same when it comes again; None when there is no telling."""
        return identity_of(self.message_id, self.channel, self.partition, self.position)


NOTHING = About()


def _names(event_type: str) -> tuple[str, str, str]:
    """`…orders.domain.events.OrderCreatedEvent`, `OrderCreatedEvent`, `OrderCreated`"""
    last = event_type.rpartition(".")[2]
    return event_type, last, last.removesuffix("Event")
