"""The profile's channels, subscriptions, message types and reactions as tables of the evidence.

Invariants and stories read these tables, so their own code names no channel, message or subscriber.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from labkit.system.model import ANSWERS, Profile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def write(connection: "DuckDBPyConnection", profile: Profile) -> None:
    tables: dict[str, list[list[Any]]] = {}
    for table, row in _rows(profile):
        tables.setdefault(table, []).append(row)
    for table, rows in tables.items():
        placeholders = ", ".join(f"({', '.join('?' * len(row))})" for row in rows)
        connection.execute(f"INSERT INTO {table} VALUES {placeholders}", [value for row in rows for value in row])


def _rows(profile: Profile) -> Iterator[tuple[str, list[Any]]]:
    """Yield (table, values) for each row."""
    schemas = {service.name: service.schema or None for service in profile.services}
    for server in profile.servers:
        parts = [server.name == name for name in (profile.database, profile.broker, profile.view_store)]
        yield "servers", [server.name, server.title, *parts]
    for table in profile.tables:
        yield "observed_tables", [table.name, table.schema, table.table, profile.owners.get(table.schema)]
    for channel in profile.channels:
        yield "channels", [channel.name, channel.short, channel.about or None]
    for each in profile.subscriptions:
        for channel in each.channels:
            yield "subscriptions", [each.subscriber, each.component, channel.name, each.store, each.dead_letters]
    for message in profile.messages:
        state, reason = ANSWERS[message.answers] if message.answers else (None, None)
        meaning = [message.announces or None, message.answers or None, state, reason]
        yield "message_types", [message.name, message.kind, message.channel.short, message.sender, schemas[message.sender], *meaning]
        for name, form in message.fields.items():
            yield "message_fields", [message.name, name, form.value]
    for reaction in profile.reactions:
        taker = next(each for each in profile.subscriptions if each.subscriber == reaction.subscriber)
        yield "reactions", [reaction.subscriber, taker.component, taker.store, reaction.message, reaction.effect]
