"""Records as a broker delivers them to a subscriber."""

from services.messaging.brokers import Position, Record


def received(channel: str, partition: int, offset: int, key: bytes | None = None, value: bytes | None = None) -> Record:
    return Record(channel, partition, Position((offset,)), Position((offset + 1,)), key, value)
