"""What flows, as the profile says, as tables of the evidence: so invariants and stories ask the evidence, and name nothing themselves."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from labkit.system.model import ANSWERS, Profile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def write(connection: "DuckDBPyConnection", profile: Profile) -> None:
    for table, row in _rows(profile):
        connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


def _rows(profile: Profile) -> Iterator[tuple[str, list[Any]]]:
    """(table, its values)"""
    schemas = {service.name: service.schema or None for service in profile.services}
    for channel in profile.channels:
        yield "channels", [channel.name, channel.short, channel.about or None]
    for subscription in profile.subscriptions:
        for channel in subscription.channels:
            yield "subscriptions", [subscription.subscriber, subscription.component, channel.name, subscription.store]
    for message in profile.messages:
        state, reason = ANSWERS[message.answers] if message.answers else (None, None)
        told = [message.tells or None, message.answers or None, state, reason]
        yield "message_types", [message.name, message.channel.short, message.sender, schemas[message.sender], *told]
    for reaction in profile.reactions:
        taker = next(each for each in profile.subscriptions if each.subscriber == reaction.subscriber)
        yield "reactions", [reaction.subscriber, taker.component, taker.store, reaction.message, reaction.effect]
