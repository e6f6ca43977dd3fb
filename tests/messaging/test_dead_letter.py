"""Parking on a real server: the record, its cause and its position are stored once, and a message announces it."""

import asyncio
import base64
import json
from typing import Any

import pytest

from services.messaging.brokers import Position, Record
from services.messaging.dead_letter import ANNOUNCED, MAX_CAUSE, STORED, park
from services.messaging.delivery import Delivery
from tests.messaging.servers import Schema
from tests.messaging.shop import database

LARGEST = 2**64 - 1


def delivery(position: Position, value: bytes | None = b"bytes", key: bytes | None = b"key") -> Delivery:
    after = Position((*position.numbers[:-1], position.numbers[-1] + 1))
    return Delivery(Record("a-channel", 3, position, after, key, value), 0, None, undecodable="it is wrong")


def parked(schema: Schema, *parked: tuple[Delivery, str]) -> bool:
    async def main() -> bool:
        opened = database(schema)
        async with opened.transaction() as tx:
            done = await park(tx, "a-subscriber", parked)
        opened.close()
        return done

    return asyncio.run(main())


def rows(schema: Schema) -> list[tuple[Any, ...]]:
    return schema.rows("SELECT channel, channel_partition, position, cause, record_key, record_value FROM dead_letter ORDER BY id")


def told(schema: Schema) -> list[Any]:
    query = "SELECT payload FROM message WHERE destination = 'a-subscriber.dead-letter' ORDER BY id"
    return [json.loads(payload) for (payload,) in schema.rows(query)]


def test_it_is_kept_as_it_came_and_told(schema: Schema) -> None:
    raw = bytes(range(256))
    assert parked(schema, (delivery(Position((17,)), raw), "Traceback …\nValueError: wrong"))
    assert rows(schema) == [("a-channel", 3, "17", "Traceback …\nValueError: wrong", b"key", raw)]
    (message,) = told(schema)
    assert (message["channel"], message["partition"], message["position"]) == ("a-channel", 3, "17")
    assert base64.b64decode(message["value"]) == raw


@pytest.mark.filterwarnings("ignore:Duplicate entry")  # MySQL warns of the row that is there already
def test_a_second_time_changes_nothing(schema: Schema) -> None:
    one = delivery(Position((17,))), "wrong"
    assert parked(schema, one)
    assert parked(schema, one)
    assert (len(rows(schema)), len(told(schema))) == (1, 1)
    # of several messages, it is unknown which were parked before
    assert not parked(schema, one, (delivery(Position((18,))), "wrong"))
    assert len(told(schema)) == 1


def test_positions_of_any_broker_are_kept_apart(schema: Schema) -> None:
    positions = [Position((LARGEST,)), Position((LARGEST - 1,)), Position((LARGEST, LARGEST)), Position((LARGEST, LARGEST - 1))]
    assert parked(schema, *[(delivery(position), "wrong") for position in positions])
    assert [Position.parse(row[2]) for row in rows(schema)] == positions


def test_of_very_long_ones_the_beginning_is_kept_and_it_says_so(schema: Schema) -> None:
    value, cause = b"x" * (STORED + 5), "y" * (MAX_CAUSE + 5)
    assert parked(schema, (delivery(Position((1,)), value, None), cause), (delivery(Position((2,)), value, None), "wrong"))
    first, second = rows(schema)
    assert (len(first[5]), len(second[5])) == (STORED, STORED)
    assert f"the value has {len(value):,} bytes" in second[3]
    assert first[3].endswith("y" * 100)
    assert all(len(base64.b64decode(message["value"])) == ANNOUNCED and message["valueSize"] == len(value) for message in told(schema))
