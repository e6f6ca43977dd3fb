"""The system under study, as data: its processes, the messages between them, and the required reactions.

A profile is one variant of the system: its components, its broker, and its subscriptions. Every other part of labkit reads the profile
instead of naming a topic, group, schema, account, table or event type itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True)
class Server:
    """A server that the services share.

    `product`: its program: mysql, kafka or redis. `user`: the account of all its clients; empty if each client has its own.
    """

    name: str
    product: str
    port: int  # the default port
    title: str  # name for people: MySQL
    user: str = ""


@dataclass(frozen=True)
class Service:
    """A service of the system: the process `python -m services.NAME`.

    `environment`: variables in addition to those that every service gets. A value may refer to another component, with `{mysql.host}`,
    `{kafka.address}`, `{relay.address}` or `{customers.url}`, or to the service's own `{account.user}` and `{account.password}`. A variable
    with an empty value is not set.

    `writes`: the service changes a store on its own, so it must be stopped while the stores are emptied.
    """

    name: str
    port: int  # the default port
    environment: Mapping[str, str] = field(default_factory=dict)
    account: str = ""
    schema: str = ""
    writes: bool = False

    @property
    def module(self) -> str:
        return f"services.{self.name.replace('-', '_')}"


class Form(Enum):
    """How a column's value is represented in the evidence."""

    NUMBER = "number"
    MONEY = "money"
    TEXT = "text"
    CODED = "coded"  # a number that stands for a text, see Column.codes, or the text itself
    MILLISECONDS = "milliseconds"  # since 1970
    FLAG = "flag"
    BYTES = "bytes"


@dataclass(frozen=True)
class Column:
    """A column of a service's table, and its name in the evidence.

    `followed`: the column is part of the row changes, which are read from the binlog. `optional`: the column may be missing in the
    database. It is then NULL, and no verdict depends on it.
    """

    name: str
    form: Form
    meaning: str
    column: str = ""  # name in the database; empty: the same as in the evidence
    followed: bool = True
    optional: bool = False
    codes: tuple[str, ...] = ()  # CODED: the texts for 0, 1, 2, …

    @property
    def source(self) -> str:
        return self.column or self.name


@dataclass(frozen=True)
class ObservedTable:
    """A service's table that the evidence holds.

    The rows are in the evidence table `name`, the row changes in `one`_changes, the effect of each commit on a row in `one`_commits, and
    the rows before the first change in starting_`name`.
    """

    name: str
    one: str
    schema: str
    table: str
    key: tuple[str, ...]  # column names
    columns: tuple[Column, ...]

    @property
    def followed(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.followed)

    def source(self, name: str) -> str:
        """Return a column's name in the database. Raises KeyError."""
        return {column.name: column.source for column in self.columns}[name]

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True)
class Channel:
    """A channel of the broker.

    `name`: the name on the wire. `short`: the name for people. `about`: the kind of aggregate whose id is the message key (order,
    customer); empty if the key is something else.
    """

    name: str
    short: str
    about: str = ""


@dataclass(frozen=True)
class Subscription:
    """A component's subscriber and the channels that it takes. The subscriber is also its consumer group on the broker.

    `store`: where it records what it has taken: the name of a schema with an inbox, or `redis`, where the view stores its positions.
    """

    component: str
    subscriber: str
    channels: tuple[Channel, ...]
    store: str

    @property
    def stores_positions(self) -> bool:
        return self.store == "redis"

    @property
    def dead_letters(self) -> str:
        """The name of the channel on which the subscriber reports the messages that it gave up."""
        return f"{self.subscriber}.dead-letter"


@dataclass(frozen=True)
class MessageType:
    """A type of message. `kind`: event, command or reply.

    `announces`: the change that the message announces, in whose transaction it must be written (see CHANGES); empty: none. `answers`: the
    answer about an order's credit that the message carries (see ANSWERS); empty: none. `fields`: the fields that its payload must have,
    each with its form, such as `orderDetails.customerId`, a NUMBER.
    """

    name: str
    channel: Channel
    sender: str
    announces: str = ""
    answers: str = ""
    kind: str = "event"
    fields: Mapping[str, Form] = field(default_factory=dict)


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
"""The state and rejection reason of an order after each answer."""


@dataclass(frozen=True)
class Reaction:
    """What a subscriber must do when it takes a message: the `effect`, once, in the transaction that records the message as received.

    `effect`: `answer` (it sends one of `then`), `decision` (the order leaves PENDING) or `release` (the order's reservation is removed).
    """

    subscriber: str
    message: str
    effect: str
    then: tuple[str, ...] = ()


@dataclass(frozen=True)
class Profile:
    """One variant of the system. Components start in the order of `servers`, then `services`."""

    name: str
    sentence: str
    servers: tuple[Server, ...]
    services: tuple[Service, ...]
    tables: tuple[ObservedTable, ...]  # in addition to those of transactional messaging, which every schema has
    views: str  # SQL: views of the evidence on these tables, each with its meaning as a comment
    broker: str  # name of the server that carries the messages
    channels: tuple[Channel, ...]
    subscriptions: tuple[Subscription, ...]
    messages: tuple[MessageType, ...]
    reactions: tuple[Reaction, ...]
    database: str = "mysql"  # name of the server with the services' tables
    view_store: str = "redis"  # name of the server with the view

    @property
    def parts(self) -> "tuple[Server | Service, ...]":
        return (*self.servers, *self.services)

    @property
    def broker_server(self) -> Server:
        return self.server(self.broker)

    def server(self, name: str) -> Server:
        """Return a server by name. Raises KeyError if there is none."""
        return {server.name: server for server in self.servers}[name]

    def title(self, component: str) -> str:
        """Return a component's name for people: MySQL, order-history."""
        return next((server.title for server in self.servers if server.name == component), component)

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas of services, each with an outbox and an inbox."""
        return tuple(service.schema for service in self.services if service.schema)

    @property
    def components(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts)

    def service(self, name: str) -> Service:
        """Return a service by name. Raises KeyError if there is none."""
        return {service.name: service for service in self.services}[name]

    def table(self, one: str) -> ObservedTable:
        """Return a table by the name of one of its rows, such as `order`. Raises KeyError if the profile has no such table."""
        return {table.one: table for table in self.tables}[one]

    def subscription(self, subscriber: str) -> Subscription | None:
        return next((each for each in self.subscriptions if each.subscriber == subscriber), None)

    @property
    def owners(self) -> dict[str, str]:
        """The component that owns each schema."""
        return {service.schema: service.name for service in self.services if service.schema}

    @property
    def workers(self) -> dict[str, str]:
        """The component of each account whose open transactions count as work in progress.

        These are the accounts of services with tables of their own.
        """
        return {service.account: service.name for service in self.services if service.account and service.schema}

    @property
    def own_channels(self) -> frozenset[str]:
        """The names of all channels of the system, including those for messages that a subscriber gave up.

        Other channels of the same broker are shown and affect no verdict.
        """
        given_up = (subscription.dead_letters for subscription in self.subscriptions)
        return frozenset((*(channel.name for channel in self.channels), *given_up))

    def taken_by(self, subscriber: str) -> frozenset[str]:
        """Return the names of the channels that a subscriber takes; none for a foreign group."""
        return frozenset(channel.name for each in self.subscriptions if each.subscriber == subscriber for channel in each.channels)

    def short(self, channel: str) -> str:
        """Return a channel's short name, such as `Order`. A channel outside the system keeps its full name."""
        return next((each.short for each in self.channels if each.name == channel), channel)
