"""The system under study, as data: which processes run, what flows between them, and what comes of it.

A profile is one arrangement of it: which components run, over which broker, who subscribes to what. Every other part of labkit reads its
profile instead of naming a topic, group, schema, account, table or event type itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True)
class Server:
    """A server that the services share. `product` says which program it is: mysql, kafka or redis. `user` is the account of all its
    clients; empty where each client has its own."""

    name: str
    product: str
    port: int  # the default one
    title: str  # for people: MySQL
    user: str = ""


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


class Form(Enum):
    """How a column's value is brought into the evidence."""

    NUMBER = "number"
    MONEY = "money"
    TEXT = "text"
    CODED = "coded"  # a number that stands for a text, see Column.codes, or the text itself
    MILLISECONDS = "milliseconds"  # since 1970
    FLAG = "flag"
    BYTES = "bytes"


@dataclass(frozen=True)
class Column:
    """A column of a service's table, and what it is called in the evidence.

    Only a column that is `followed` is part of the row changes, which are read from the binlog. An `optional` one may be missing in the
    database: it is NULL then, and no verdict rests on it."""

    name: str
    form: Form
    meaning: str
    column: str = ""  # in the database; empty: as in the evidence
    followed: bool = True
    optional: bool = False
    codes: tuple[str, ...] = ()  # CODED: the texts that 0, 1, 2, … stand for

    @property
    def source(self) -> str:
        return self.column or self.name


@dataclass(frozen=True)
class ObservedTable:
    """A table of a service that the evidence holds: under `name`, the row changes under `one`_changes, what each commit made of a row under
    `one`_commits, and where the changes begin under starting_`name`."""

    name: str
    one: str
    schema: str
    table: str
    key: tuple[str, ...]  # names of columns
    columns: tuple[Column, ...]

    @property
    def followed(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.followed)

    def source(self, name: str) -> str:
        """What a column is called in the database. Raises KeyError."""
        return {column.name: column.source for column in self.columns}[name]

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


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

    @property
    def dead_letters(self) -> str:
        """The name of the channel where it says which messages it gave up."""
        return f"{self.subscriber}.dead-letter"


@dataclass(frozen=True)
class Message:
    """A type of message. `kind`: event, command or reply.

    `tells` is the change that it tells of, which belongs in the transaction that writes it (see CHANGES), empty where it tells of none.
    `answers` is the answer about an order's credit that it carries (see ANSWERS), empty where it carries none.
    `fields` are those that its payload must have, each with its form: `orderDetails.customerId`, a NUMBER.
    """

    name: str
    channel: Channel
    sender: str
    tells: str = ""
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
    tables: tuple[ObservedTable, ...]  # beside those of transactional messaging, which every schema has
    views: str  # SQL: views of the evidence on these tables, each with its meaning as a comment
    broker: str  # the name of the server that carries the messages
    channels: tuple[Channel, ...]
    subscriptions: tuple[Subscription, ...]
    messages: tuple[Message, ...]
    reactions: tuple[Reaction, ...]
    database: str = "mysql"  # the name of the server that has the services' tables
    view_store: str = "redis"  # the name of the server that has the view

    @property
    def parts(self) -> "tuple[Server | Service, ...]":
        return (*self.servers, *self.services)

    @property
    def broker_server(self) -> Server:
        return self.server(self.broker)

    def server(self, name: str) -> Server:
        """Raises KeyError for a name that no server has."""
        return {server.name: server for server in self.servers}[name]

    def title(self, component: str) -> str:
        """What people call a component: MySQL, order-history."""
        return next((server.title for server in self.servers if server.name == component), component)

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas of services, each with an outbox and an inbox."""
        return tuple(service.schema for service in self.services if service.schema)

    @property
    def components(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts)

    def service(self, name: str) -> Service:
        """Raises KeyError for a name that no service has."""
        return {service.name: service for service in self.services}[name]

    def table(self, one: str) -> ObservedTable:
        """By what one row of it is called: `order`. Raises KeyError for a table that the profile does not have."""
        return {table.one: table for table in self.tables}[one]

    def subscription(self, subscriber: str) -> Subscription | None:
        return next((each for each in self.subscriptions if each.subscriber == subscriber), None)

    @property
    def owners(self) -> dict[str, str]:
        """The component whose tables a schema has, by the schema."""
        return {service.schema: service.name for service in self.services if service.schema}

    @property
    def workers(self) -> dict[str, str]:
        """The component of each account whose open transactions are work in hand: those of services with tables of their own."""
        return {service.account: service.name for service in self.services if service.account and service.schema}

    @property
    def own_channels(self) -> frozenset[str]:
        """The names of all channels that belong to the system, also those of messages that a subscriber gave up. Whatever else uses the
        same broker is shown and decides nothing."""
        given_up = (subscription.dead_letters for subscription in self.subscriptions)
        return frozenset((*(channel.name for channel in self.channels), *given_up))

    def taken_by(self, subscriber: str) -> frozenset[str]:
        """The names of the channels that a subscriber takes; none for a stranger."""
        return frozenset(channel.name for each in self.subscriptions if each.subscriber == subscriber for channel in each.channels)

    def short(self, channel: str) -> str:
        """What people call a channel: `Order`; a channel that is none of the system's keeps its whole name."""
        return next((each.short for each in self.channels if each.name == channel), channel)
