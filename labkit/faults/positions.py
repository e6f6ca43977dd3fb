"""Positions in the broker and in the stores, read from outside: how far a group has come, where a partition begins and ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labkit import brokers
from labkit.brokers.model import Bounds, Place, Position
from labkit.errors import ExitCode, UserError
from labkit.faults.targets import channel
from labkit.stack import sql, stores
from labkit.stack.model import Stack
from labkit.system.model import Subscription

ANSWER_S = 5.0


def binlog_position(stack: Stack) -> dict[str, object] | None:
    """Return the current binlog position, or None when MySQL does not answer."""
    try:
        with sql.connected(stack.mysql, 2.0) as cursor:
            return sql.binlog_position(cursor)
    except OSError:
        return None


def said(stack: Stack, position: Position) -> str:
    """Format a position for people: `offset 17`."""
    positions = brokers.positions(stack.profile)
    return f"{positions.noun} {positions.written(position)}"


def parsed(stack: Stack, written: object) -> Position:
    """Parse a position that labkit or a service wrote to a file. Raises UserError when it is not a position."""
    position = brokers.positions(stack.profile).read(written)
    if position is None:
        message = f"{str(written)!r} is not a position in {brokers.of(stack).title}."
        raise UserError(message, "labkit topics", exit_code=ExitCode.USAGE)
    return position


def bounds(stack: Stack, topic: str, partition: int) -> Bounds:
    """Return the first and the next position of a partition. Raises UserError when the broker does not answer or has no such partition."""
    with _asking(), brokers.of(stack).connect(ANSWER_S) as broker:
        count = broker.channels().get(topic, 0)
        found = broker.bounds({topic: count}) if partition < count else {}
    if (topic, partition) not in found:
        raise UserError(f"{brokers.of(stack).title} has no partition {partition} of {topic}.", "labkit topics")
    return found[topic, partition]


def partitions(stack: Stack, name: str) -> int:
    """Return the number of partitions of a channel, given by its full or short name. Raises UserError."""
    with _asking(), brokers.of(stack).connect(ANSWER_S) as broker:
        return broker.channels().get(channel(stack.profile, name), 0)


def partition_of(stack: Stack, key: str, count: int) -> int:
    """Return the partition to which the broker assigns a key when there are `count` partitions."""
    return brokers.of(stack).partition_of(key.encode(), count)


def taken_up_to(stack: Stack, who: Subscription, topic: str, partition: int) -> Position | None:
    """Return the position after the last record that this subscriber has processed, or None when it has committed none.

    The subscriber commits its position to its broker or store. Raises UserError when that does not answer.
    """
    if who.stores_positions:
        return _position_in_redis(stack, who.subscriber, topic, partition)
    with _asking(), brokers.of(stack).connect(ANSWER_S) as broker:
        return broker.committed(who.subscriber).get((topic, partition))


def _position_in_redis(stack: Stack, subscriber: str, topic: str, partition: int) -> Position | None:
    import redis

    client: Any = redis.Redis(host=stack.redis.host, port=stack.redis.port, password=stack.redis.password or None, socket_timeout=2.0)
    try:
        stored = client.hget(f"positions:{subscriber}", f"{topic}:{partition}")
    except redis.RedisError as error:
        raise UserError(f"Redis does not report how far {subscriber} is: {error}.", "labkit status") from error
    finally:
        client.close()
    return None if stored is None else brokers.positions(stack.profile).read(stored)


def publish(stack: Stack, channel: str, key: bytes, value: bytes, *, planted_by: str, partition: int | None) -> tuple[int, Position]:
    """Publish one record, marked as planted by a fault. Returns its partition and position. Raises UserError."""
    with _asking():
        return brokers.of(stack).publish(channel, key, value, planted_by=planted_by, partition=partition)


def trim(stack: Stack, place: Place, before: Position) -> Position:
    """Delete the records before a position. Returns the partition's new start. Raises UserError."""
    with _asking():
        return brokers.of(stack).trim(place, before)


def ensure(stack: Stack, channel: str) -> None:
    """Make sure that the channel exists. Raises UserError."""
    with _asking():
        brokers.of(stack).ensure(channel, 1)


def move_behind(stack: Stack, who: Subscription, topic: str, partition: int, position: Position) -> None:
    """Stop a subscriber, move it behind this record, and start it, as if it had processed the record. Raises UserError."""
    from labkit.faults import components

    positions = brokers.positions(stack.profile)
    after = positions.after(position)
    components.stop(stack, who.component)
    try:
        if who.stores_positions:
            words = "HSET", f"positions:{who.subscriber}", f"{topic}:{partition}", str(positions.written(after))
            stores.ask_redis(stack.redis, *words, timeout=ANSWER_S)
        else:
            with _asking():
                brokers.of(stack).move(who.subscriber, (topic, partition), after)
    finally:
        components.start(stack, who.component)


@contextmanager
def _asking() -> Iterator[None]:
    """Turn the broker's errors into a UserError. The message names the broker."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise UserError(f"{str(error)[:1].upper()}{str(error)[1:]}.", "labkit status") from error
