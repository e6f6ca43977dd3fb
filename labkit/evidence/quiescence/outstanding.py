"""Outstanding work: what must finish before the system is still, and a sentence about each piece of it."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from labkit import brokers
from labkit.brokers.model import Bounds, Connection, Place, Position
from labkit.evidence import faults
from labkit.evidence.quiescence.model import Outstanding, UnpublishedRows
from labkit.stack import transactions
from labkit.stack.model import Stack
from labkit.stack.runtime import Runtime
from labkit.system.model import Profile


def paused(runtime: Runtime) -> Iterator[Outstanding]:
    """Yield each component that does not run on."""
    for name, how in runtime.halted().items():
        yield Outstanding("paused", name, f"{name} is {how}")


def at_gates(stack: Stack) -> Iterator[Outstanding]:
    for description in faults.closed_gates(stack):
        yield Outstanding("gate", "gate", f"a gate is closed: {description}")


def unpublished_rows(cursor: Any, schemas: Iterable[str]) -> Iterator[UnpublishedRows]:
    """Yield the rows of each outbox that are not marked as published."""
    for schema in schemas:
        cursor.execute(f"SELECT COUNT(*), MIN(creation_time), MIN(id), MAX(id) FROM `{schema}`.message WHERE published = 0")
        count, oldest, first, last = cursor.fetchone()
        if count:
            yield UnpublishedRows(schema, int(count), str(first), str(last), _seconds(oldest))


def in_outboxes(unpublished: Iterable[UnpublishedRows]) -> Iterator[Outstanding]:
    for rows in unpublished:
        messages = _count(rows.rows, "message waits", "messages wait")
        yield Outstanding("outbox", rows.schema, f"{messages} in the outbox of {rows.schema} to be published by the relay", rows.since)


def in_transactions(cursor: Any, workers: Mapping[str, str]) -> Iterator[Outstanding]:
    """Yield the open transactions of each worker. `workers`: the component of each account."""
    for user, since, count in _open_transactions(cursor, workers):
        component = workers[user]
        yield Outstanding("transaction", component, f"{component} has {_count(count, 'transaction', 'transactions')} open", since)


def in_channels(
    broker: Connection, profile: Profile, bounds: Mapping[Place, Bounds], committed: Mapping[str, Mapping[Place, Position]]
) -> Iterator[Outstanding]:
    """Yield the lag of each group, and the first place where a producer's open transaction holds back records."""
    held: dict[Place, Position] = {}
    for each in profile.subscriptions:
        group, channels = each.subscriber, {channel.name for channel in each.channels}
        behind = broker.behind(committed[group], {place: of for place, of in bounds.items() if place[0] in channels})
        held |= behind.held
        if behind.lag:
            yield _lag(broker, profile, group, behind.lag, committed[group])
    for place, position in list(held.items())[:1]:
        where = f"{_partition(profile, place)}, from {_position(profile, position)} on"
        yield Outstanding("held", profile.broker, f"a producer's open transaction holds back {where}")


def _lag(broker: Connection, profile: Profile, group: str, behind: Mapping[Place, int], committed: Mapping[Place, Position]) -> Outstanding:
    described = broker.groups([group])
    members, strangers = sum(one.members for one in described), [who for one in described for who in one.strangers]
    place, lag = max(behind.items(), key=lambda item: item[1])
    position = committed.get(place)
    stands = "the beginning" if position is None else _position(profile, position)
    more = f" ({sum(behind.values())} on {len(behind)} partitions)" if len(behind) > 1 else ""
    who = {0: "; the group has no member", 1: ""}.get(members, f"; the group has {members} members")
    who += f", one of them a stranger: {', '.join(strangers)}" if strangers else ""
    return Outstanding("lag", group, f"{group} stands at {stands} of {_partition(profile, place)}, {lag} behind{more}{who}")


def _open_transactions(cursor: Any, accounts: Collection[str]) -> Iterator[tuple[str, float, int]]:
    """Yield (account, start time in whole seconds, number of transactions) for these accounts."""
    cursor.execute("SELECT id, user FROM information_schema.processlist WHERE user IN %s", [list(accounts)])
    users = dict(cursor.fetchall())
    ages: dict[str, list[int]] = {}
    for transaction in transactions.open_transactions(cursor):
        if user := users.get(transaction.connection):
            ages.setdefault(user, []).append(transaction.open_s)
    for user, seconds in sorted(ages.items()):
        yield user, time.time() - max(seconds), len(seconds)


def _partition(profile: Profile, place: Place) -> str:
    return f"{profile.short(place[0])}, partition {place[1]}"


def _position(profile: Profile, position: Position) -> str:
    positions = brokers.positions(profile)
    return f"{positions.noun} {positions.written(position)}"


def _seconds(milliseconds: Any) -> float:
    """Convert milliseconds to epoch seconds. Any other value, from a column that a learner has changed, becomes 0: unknown."""
    try:
        return float(milliseconds or 0) / 1000
    except (TypeError, ValueError):
        return 0.0


def _count(count: int, one: str, more: str) -> str:
    return f"1 {one}" if count == 1 else f"{count} {more}"
