"""The system that the evidence describes in tables of its own: its messages, its subscribers, and the origin of each table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CHANGE_TO = {"PENDING": "order stored", "APPROVED": "order approved", "REJECTED": "order rejected", "CANCELLED": "order cancelled"}
"""The change that leads to each state of an order, as `message_types` names it."""
SOURCES = ("tables", "records", "view")


@dataclass(frozen=True)
class SeenMessageType:
    event: str
    kind: str  # event, command, reply
    sender: str
    schema: str | None  # the schema of its outbox
    announces: str | None
    answers: str | None


@dataclass(frozen=True)
class Subscriber:
    name: str
    component: str
    store: str  # a schema with an inbox, or the server that stores its positions
    channels: tuple[str, ...]


@dataclass(frozen=True)
class SeenReaction:
    subscriber: Subscriber
    event: str
    effect: str


@dataclass(frozen=True)
class System:
    """The system as the evidence describes it.

    `keys`: for each channel, the kind of aggregate whose id is the message key. `sources`: the database names of the observed tables.
    `owners`: the component of each observed table. `titles`: the names of servers in sentences. `holders`: the server that holds the
    tables, the records and the view. `senders`: the component of each schema.
    """

    types: tuple[SeenMessageType, ...]
    subscribers: Mapping[str, Subscriber]
    reactions: tuple[SeenReaction, ...]
    keys: Mapping[str, str]
    sources: Mapping[str, str]
    owners: Mapping[str, str]
    titles: Mapping[str, str]
    holders: Mapping[str, str]
    senders: Mapping[str, str]

    def type_of(self, event: str | None) -> SeenMessageType | None:
        return next((each for each in self.types if each.event == event), None)

    def announcing(self, change: str) -> SeenMessageType | None:
        """Return the message that announces a change; None if the system has none."""
        return next((each for each in self.types if each.announces == change), None)

    @property
    def answers(self) -> frozenset[str]:
        return frozenset(each.event for each in self.types if each.answers)

    def reaction(self, effect: str, event: str | None = None) -> SeenReaction | None:
        """Return the reaction with this effect, to any message or to a given one; None if there is none."""
        return next((each for each in self.reactions if each.effect == effect and event in (None, each.event)), None)

    def takers(self, channel: str) -> tuple[Subscriber, ...]:
        return tuple(each for each in self.subscribers.values() if channel in each.channels)

    def stores_positions(self, subscriber: Subscriber) -> bool:
        """Whether the subscriber has no inbox and instead records its positions next to the view."""
        return subscriber.store in self.titles

    @property
    def view_keeper(self) -> Subscriber | None:
        return next((each for each in self.subscribers.values() if self.stores_positions(each)), None)

    def component(self, schema: str | None) -> str | None:
        """Return the component that owns a schema."""
        return self.senders.get(schema or "")

    def title(self, source: str) -> str:
        """Return the name of the server that holds a source, for a sentence. The broker holds the `records`."""
        component = self.holders.get(source, source)
        return self.titles.get(component, component)

    @property
    def broker(self) -> str:
        return self.title("records")


def read(connection: "DuckDBPyConnection") -> System:
    def rows(query: str) -> list[tuple[str, ...]]:
        return connection.execute(query).fetchall()

    subscribers: dict[str, Subscriber] = {}
    for name, component, store, channel in rows(
        "SELECT s.subscriber, s.component, s.store, c.channel FROM subscriptions s JOIN channels c USING (topic) ORDER BY s.rowid"
    ):
        channels = subscribers[name].channels if name in subscribers else ()
        subscribers[name] = Subscriber(name, component, store, (*channels, channel))
    types = tuple(
        SeenMessageType(*row)
        for row in rows("SELECT event, kind, sender, schema_name, announces, answers FROM message_types ORDER BY rowid")
    )
    tables = rows("SELECT name, schema_name, table_name, component FROM observed_tables")
    servers = rows("SELECT component, title, is_database, is_broker, is_view FROM servers")
    return System(
        types=types,
        subscribers=subscribers,
        reactions=tuple(
            SeenReaction(subscribers[name], event, effect)
            for name, event, effect in rows("SELECT subscriber, event, effect FROM reactions ORDER BY rowid")
        ),
        keys={channel: about for channel, about in rows("SELECT channel, about FROM channels") if about},
        sources={name: f"{schema}.{table}" for name, schema, table, _ in tables},
        owners={name: component for name, _, _, component in tables},
        titles={component: title for component, title, *_ in servers},
        holders={source: component for component, _, *holds in servers for source, held in zip(SOURCES, holds, strict=True) if held},
        senders={
            **{schema: component for _, schema, _, component in tables},
            **{each.schema: each.sender for each in types if each.schema},
        },
    )
