"""The system under study, as data: which processes run, what flows between them, and what comes of it.

A profile is one arrangement of it: which components run, over which broker, who subscribes to what. Every other part of labkit reads its
profile instead of naming a topic, group, schema, account, table or event type itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Server:
    """A server that the services share. `product` says which program it is: mysql, kafka or redis."""

    name: str
    product: str
    port: int  # the default one


@dataclass(frozen=True)
class Service:
    """A service of the system: the process `python -m services.NAME`.

    `environment` is its own configuration beside what every service gets. A value may name another component: `{mysql.host}`,
    `{kafka.address}`, `{relay.address}`, `{customers.url}`, or the service's own `{account.user}` and `{account.password}`. A variable
    whose value comes out empty is not set.

    `writes`: it changes a store by itself, so it must be stopped while the stores are emptied.
    """

    name: str
    port: int  # the default one
    environment: Mapping[str, str] = field(default_factory=dict)
    account: str = ""
    schema: str = ""
    writes: bool = False

    @property
    def module(self) -> str:
        return f"services.{self.name.replace('-', '_')}"


@dataclass(frozen=True)
class Channel:
    """What a broker carries. `name` is the one on the wire, `short` the one that people read, `about` the kind of aggregate whose id is the
    key of its messages (order, customer), empty where the key is another."""

    name: str
    short: str
    about: str = ""


@dataclass(frozen=True)
class Subscription:
    """A component's subscriber, which is its group on the broker, and the channels that it takes. `store` is where it notes what it has
    taken: the name of a schema that has an inbox, or `redis`, where the view keeps its positions."""

    component: str
    subscriber: str
    channels: tuple[Channel, ...]
    store: str

    @property
    def keeps_positions(self) -> bool:
        return self.store == "redis"


@dataclass(frozen=True)
class Message:
    """A type of message: an event, a command or a reply.

    `tells` is the change that it tells of, which belongs in the transaction that writes it (see CHANGES), empty where it tells of none.
    `answers` is the answer about an order's credit that it carries (see ANSWERS), empty where it carries none.
    """

    name: str
    channel: Channel
    sender: str
    tells: str = ""
    answers: str = ""


CHANGES = (
    "customer stored",
    "order stored",
    "order approved",
    "order rejected",
    "order cancelled",
    "credit reserved",
)
ANSWERS = {
    "granted": ("APPROVED", None),
    "refused": ("REJECTED", "INSUFFICIENT_CREDIT"),
    "unknown customer": ("REJECTED", "UNKNOWN_CUSTOMER"),
}
"""What each answer makes of an order: its state and rejection reason."""


@dataclass(frozen=True)
class Reaction:
    """What a subscriber must do when it takes a message: the `effect`, once, in the transaction that notes the message as received.

    `effect`: `answer` (it sends one of `then`), `decision` (the order leaves PENDING), `release` (the order's reservation goes).
    """

    subscriber: str
    message: str
    effect: str
    then: tuple[str, ...] = ()


@dataclass(frozen=True)
class Profile:
    """One arrangement of the system. Components start in this order."""

    name: str
    sentence: str
    servers: tuple[Server, ...]
    services: tuple[Service, ...]
    broker: str  # the name of the server that carries the messages
    channels: tuple[Channel, ...]
    subscriptions: tuple[Subscription, ...]
    messages: tuple[Message, ...]
    reactions: tuple[Reaction, ...]

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas of services, each with an outbox and an inbox."""
        return tuple(service.schema for service in self.services if service.schema)

    @property
    def components(self) -> tuple[str, ...]:
        return tuple(component.name for component in (*self.servers, *self.services))
