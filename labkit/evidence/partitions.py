"""Kafka's partitions and consumer groups as rows of the evidence, and which part of each log belongs to the run."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from labkit.evidence import database
from labkit.evidence.kafka_positions import Group, Positions
from labkit.evidence.mark import Mark
from labkit.stack.kafka_wire import EARLIEST, LATEST, Place
from labkit.stack.model import Stack
from labkit.system.model import Profile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ANSWER_TIMEOUT = 5.0


def read(connection: "DuckDBPyConnection", stack: Stack, begin: Mark | None) -> tuple[dict[Place, int], dict[Place, int]]:
    """Where each partition is to be read from and up to; with the partitions and groups as rows of the evidence."""
    profile = stack.profile
    own, subscribers = profile.own_channels, {each.subscriber for each in profile.subscriptions}
    try:
        with Positions(stack.kafka, timeout=ANSWER_TIMEOUT) as broker:
            topics = broker.topics()
            starts, ends = broker.offsets(topics, EARLIEST), broker.offsets(topics, LATEST)
            ids = sorted({*broker.group_ids(), *subscribers})
            groups = broker.groups(ids)
            lags = {group.id: broker.behind(group.committed, starts, _taken_by(profile, group, ends)).lag for group in groups}
    except (OSError, ValueError) as error:
        for source in ("groups", "records"):
            database.set_complete(connection, source, f"kafka could not be read: {error}", "kafka")
        return {}, {}
    offsets = begin.offsets if begin else {}
    known = {topic for topic, _ in offsets}
    with database.together(connection):
        for (topic, partition), start in starts.items():
            # a topic that came after the mark begins at 0, as does every topic of a stack that was never reset
            wanted = offsets.get((topic, partition), 0)
            end = ends[topic, partition]
            row = {"topic": topic, "partition_no": partition, "log_start": start, "log_end": end, "mark": wanted}
            database.insert(connection, "partitions", [row])
            place = f"{profile.short(topic)}, partition {partition}"
            if wanted > end and topic in own:
                database.set_complete(
                    connection, "records", f"{place} was created again after the mark: it ends at {end}, and the mark is {wanted}"
                )
            elif start > wanted and topic in own:
                reason = f"records of {place} before offset {start} were deleted after the mark, which is at {wanted}"
                database.set_complete(connection, "records", reason)
        for topic in (own & known) - {topic for topic, _ in starts}:
            database.set_complete(connection, "records", f"the topic {profile.short(topic)} was deleted after the mark")
        for group in groups:
            _group_rows(connection, profile, group, starts, ends, lags[group.id])
        strangers = {group.id: group.strangers for group in groups if group.id in subscribers and group.strangers}
        if strangers:
            database.set_fact(connection, "strangers", json.dumps(strangers))
    database.set_complete(connection, "groups")
    return {
        place: start if offsets.get(place, 0) > ends[place] else max(start, offsets.get(place, 0)) for place, start in starts.items()
    }, ends


def _taken_by(profile: Profile, group: Group, ends: Mapping[Place, int]) -> dict[Place, int]:
    """The places that a group takes, or should take."""
    expected = profile.taken_by(group.id)
    return {place: end for place, end in ends.items() if place in group.committed or place[0] in expected}


def _group_rows(
    connection: "DuckDBPyConnection",
    profile: Profile,
    group: Group,
    starts: Mapping[Place, int],
    ends: Mapping[Place, int],
    lag: Mapping[Place, int],
) -> None:
    """A group of the stack has a row for each partition that it should take, whether it did or not."""
    expected = profile.taken_by(group.id)
    for place, end in sorted(_taken_by(profile, group, ends).items()):
        row = {
            "group_id": group.id,
            "topic": place[0],
            "partition_no": place[1],
            "committed": group.committed.get(place),
            "log_start": starts[place],
            "log_end": end,
            "lag": lag.get(place, 0),
            "members": group.members,
            "state": group.state,
            "expected": place[0] in expected,
        }
        database.insert(connection, "group_offsets", [row])
