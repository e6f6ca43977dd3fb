"""What every broker does for labkit, on real servers. See labkit/brokers/model.py."""

import itertools
from collections.abc import Iterator

import pytest

from labkit.brokers.model import Bounds, Broker, Place, Position, Record
from tests.brokers.servers import Subject, a_kafka
from tests.running import wait_until

BROKERS = {"kafka": a_kafka}
ANSWER_S = 10.0
FAULT = "17"
_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=BROKERS)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    with BROKERS[request.param]() as found:
        yield found


@pytest.fixture
def broker(subject: Subject) -> Broker:
    return subject.broker


@pytest.fixture
def channel(broker: Broker) -> str:
    """A new channel with two partitions."""
    name = f"channel.number{next(_numbers)}"
    broker.ensure(name, 2)
    wait_until(lambda: bounds(broker, name), "the channel is there")
    return name


def bounds(broker: Broker, channel: str) -> dict[Place, Bounds]:
    with broker.connect(ANSWER_S) as connection:
        return connection.bounds({channel: connection.channels().get(channel, 0)})


def publish(broker: Broker, channel: str, *values: str, partition: int = 0) -> list[Position]:
    return [broker.publish(channel, b"key", value.encode(), planted_by=FAULT, partition=partition)[1] for value in values]


def read(broker: Broker, start: Position, end: Position, place: Place) -> list[Record]:
    return [record for batch in broker.read({place: start}, {place: end}) for record in batch]


def everything(broker: Broker, channel: str) -> list[Record]:
    found = bounds(broker, channel)
    starts, ends = {place: of.start for place, of in found.items()}, {place: of.end for place, of in found.items()}
    return [record for batch in broker.read(starts, ends) for record in batch]


def committed(broker: Broker, group: str) -> dict[Place, Position]:
    with broker.connect(ANSWER_S) as connection:
        return connection.committed(group)


def lag(broker: Broker, group: str, channel: str) -> dict[Place, int]:
    with broker.connect(ANSWER_S) as connection:
        found = connection.bounds({channel: connection.channels()[channel]})
        return dict(connection.behind(connection.committed(group), found).lag)


def test_a_channel_is_made_once_with_so_many_partitions(broker: Broker, channel: str) -> None:
    broker.ensure(channel, 2)
    with broker.connect(ANSWER_S) as connection:
        assert connection.channels()[channel] == 2
    found = bounds(broker, channel)
    assert sorted(found) == [(channel, 0), (channel, 1)]
    assert [(of.start == of.end, of.records, of.added) for of in found.values()] == [(True, 0, 0)] * 2


def test_records_come_back_as_they_were_published(broker: Broker, channel: str) -> None:
    positions = publish(broker, channel, "one", "two", "three", partition=1)
    assert positions == sorted(set(positions))
    records = sorted(everything(broker, channel), key=lambda record: record.position)
    assert [record.position for record in records] == positions
    assert [record.value for record in records] == [b"one", b"two", b"three"]
    assert {(record.channel, record.partition, record.key, record.planted_by) for record in records} == {(channel, 1, b"key", FAULT)}
    assert all(record.time_ms is not None and record.time_ms > 0 for record in records)


def test_bounds_hold_every_record_between_them(broker: Broker, channel: str) -> None:
    positions = publish(broker, channel, "one", "two")
    of, other = bounds(broker, channel)[channel, 0], bounds(broker, channel)[channel, 1]
    assert of.start <= positions[0] < positions[1] < of.end
    assert (of.records, of.added) == (2, 2)
    assert (other.records, other.added) == (0, 0)


def test_reading_begins_at_a_record_and_ends_before_another(broker: Broker, channel: str) -> None:
    place = (channel, 0)
    positions = publish(broker, channel, "one", "two", "three", "four")
    assert [record.value for record in read(broker, positions[1], positions[3], place)] == [b"two", b"three"]
    assert read(broker, positions[2], positions[2], place) == []
    assert list(broker.read({}, {})) == []


def test_reading_leaves_no_group_behind(broker: Broker, channel: str) -> None:
    publish(broker, channel, "one")
    with broker.connect(ANSWER_S) as connection:
        before = connection.group_ids()
        everything(broker, channel)
        assert connection.group_ids() == before


@pytest.mark.parametrize("key", [b"1", b"17", b"4711", b"customer", "größer".encode()])
def test_a_key_goes_to_the_partition_that_is_foretold(broker: Broker, channel: str, key: bytes) -> None:
    partition, position = broker.publish(channel, key, b"value", planted_by=FAULT)
    assert partition == broker.partition_of(key, 2)
    (record,) = everything(broker, channel)
    assert (record.partition, record.position, record.key) == (partition, position, key)


def test_trimming_deletes_what_is_before_a_position(broker: Broker, channel: str) -> None:
    place = (channel, 0)
    positions = publish(broker, channel, "one", "two", "three")
    start = broker.trim(place, positions[2])
    assert positions[1] < start <= positions[2]
    of = bounds(broker, channel)[place]
    assert (of.start, of.records, of.added) == (start, 1, 3)
    assert [record.value for record in everything(broker, channel)] == [b"three"]


def test_a_group_that_has_taken_nothing_is_behind_by_everything(broker: Broker, channel: str) -> None:
    publish(broker, channel, "one", "two")
    assert committed(broker, "never-there") == {}
    assert lag(broker, "never-there", channel) == {(channel, 0): 2}


def test_a_group_goes_on_where_it_was_moved_to(broker: Broker, channel: str) -> None:
    group, place = f"moved-{channel}", (channel, 0)
    positions = publish(broker, channel, "one", "two", "three")
    after_two = broker.positions.after(positions[1])
    broker.move(group, place, after_two)
    assert committed(broker, group)[place] == after_two
    assert positions[1] < after_two <= positions[2]
    assert lag(broker, group, channel) == {place: 1}
    broker.move(group, place, positions[0])
    assert lag(broker, group, channel) == {place: 3}
    broker.move(group, place, broker.positions.after(positions[2]))
    assert lag(broker, group, channel) == {}


def test_a_member_is_counted_and_its_commits_are_seen(subject: Subject, broker: Broker, channel: str) -> None:
    group, place = f"working-{channel}", (channel, 0)
    positions = publish(broker, channel, "one", "two", "three")
    with subject.member(group, channel, 2):
        with broker.connect(ANSWER_S) as connection:
            assert group in connection.group_ids()
            (found,) = connection.groups([group])
        assert (found.id, found.members) == (group, 1)
        assert positions[1] < found.committed[place] <= positions[2]
        assert lag(broker, group, channel) == {place: 1}
    with broker.connect(ANSWER_S) as connection:
        wait_until(lambda: connection.groups([group])[0].members == 0, "the member has left")
        assert connection.groups([group])[0].committed == found.committed


def test_two_looks_are_equal_until_something_moves(broker: Broker, channel: str) -> None:
    group, place = f"looking-{channel}", (channel, 0)
    positions = publish(broker, channel, "one", "two")

    def look() -> tuple[object, ...]:
        return bounds(broker, channel), committed(broker, group)

    seen = [look()]
    assert look() == seen[-1]
    for move in (
        lambda: publish(broker, channel, "three"),
        lambda: broker.move(group, place, broker.positions.after(positions[0])),
        lambda: broker.trim(place, positions[1]),
    ):
        move()
        assert look() not in seen
        seen.append(look())
        assert look() == seen[-1]


def test_emptying_leaves_channels_without_records_and_no_position_comes_again(broker: Broker, channel: str) -> None:
    before = publish(broker, channel, "one", "two")
    with broker.connect(ANSWER_S) as connection:
        starts = connection.empty({channel: 2})
        found = connection.bounds({channel: 2})
    assert starts == {place: of.start for place, of in found.items()}
    assert {of.records for of in found.values()} == {0}
    assert everything(broker, channel) == []
    (position,) = publish(broker, channel, "three")
    assert before[1] < starts[channel, 0] <= position


def test_positions_are_written_and_read_again(broker: Broker, channel: str) -> None:
    import duckdb

    positions = broker.positions
    (position,) = publish(broker, channel, "one")
    for each in (position, bounds(broker, channel)[channel, 0].end, positions.after(position)):
        written = positions.written(each)
        assert positions.read(written) == positions.read(str(written)) == positions.read(str(written).encode()) == each
        found = duckdb.execute(f"SELECT {positions.sql} FROM (SELECT ?::HUGEINT AS position)", [each]).fetchone()
        assert found == (str(written),)
    for wrong in ("", "x", "-1", "1.5", None, "9" * 100, "١"):
        assert positions.read(wrong) is None


def test_a_broker_that_is_away_is_named(subject: Subject, channel: str) -> None:
    away, place = subject.nobody, (channel, 0)
    with pytest.raises(OSError, match="refused"):
        away.connect(1.0).channels()
    with pytest.raises(OSError, match=away.title):
        list(away.read({place: Position(0)}, {place: Position(1)}, silence_s=0.5))


def test_what_does_not_exist_is_refused(broker: Broker, channel: str) -> None:
    with pytest.raises(OSError, match=broker.title):
        broker.publish(channel, b"key", b"value", planted_by=FAULT, partition=7)
    with pytest.raises(OSError, match=broker.title):
        broker.trim((channel, 7), Position(1))
