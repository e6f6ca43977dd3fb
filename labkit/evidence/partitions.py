"""The broker's partitions and consumer groups as rows of the evidence, and the part of each log that belongs to the run."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from labkit import brokers
from labkit.brokers.model import Bounds, Group, Place, Position
from labkit.evidence import database
from labkit.evidence.mark import Mark
from labkit.stack.model import Stack
from labkit.system.model import Profile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ANSWER_S = 5.0
LOWEST = Position(0)

Spans = dict[Place, tuple[Position, Position]]
"""The start and end position to read in each partition."""


def read(connection: "DuckDBPyConnection", stack: Stack, begin: Mark | None) -> Spans:
    """Insert the partitions and groups into the evidence. Return the spans to read."""
    profile = stack.profile
    channels, subscribers = profile.own_channels, {each.subscriber for each in profile.subscriptions}
    try:
        with brokers.of(stack).connect(ANSWER_S) as broker:
            bounds = broker.bounds(broker.channels())
            groups = broker.groups(sorted({*broker.group_ids(), *subscribers}))
            lags = {group.id: broker.behind(group.committed, _taken_by(profile, group, bounds)).lag for group in groups}
    except (OSError, ValueError) as error:
        for source in ("groups", "records"):
            database.set_complete(connection, source, f"{profile.broker} could not be read: {error}", profile.broker)
        return {}
    marks = begin.positions if begin else {}
    with database.in_one_transaction(connection):
        for place, of in bounds.items():
            mark = marks.get(place, LOWEST)
            row = {"topic": place[0], "partition_no": place[1], "log_start": of.start, "log_end": of.end, "mark": mark}
            database.insert(connection, "partitions", [row])
            if place[0] in channels and (gap := _gap(profile, place, of, mark)):
                database.set_complete(connection, "records", gap)
        for topic in (channels & {topic for topic, _ in marks}) - {topic for topic, _ in bounds}:
            database.set_complete(connection, "records", f"the topic {profile.short(topic)} was deleted after the mark")
        for group in groups:
            _group_rows(connection, profile, group, bounds, lags[group.id])
        strangers = {group.id: group.strangers for group in groups if group.id in subscribers and group.strangers}
        if strangers:
            database.set_fact(connection, "strangers", json.dumps(strangers))
    database.set_complete(connection, "groups")
    return {place: (_begin(of, marks.get(place, LOWEST)), of.end) for place, of in bounds.items()}


def _begin(of: Bounds, mark: Position) -> Position:
    return of.start if mark > of.end else max(of.start, mark)


def _gap(profile: Profile, place: Place, of: Bounds, mark: Position) -> str | None:
    """Return why some records since the mark are gone, or None."""
    positions = brokers.positions(profile)
    where = f"{profile.short(place[0])}, partition {place[1]}"
    start, end, at = positions.written(of.start), positions.written(of.end), positions.written(mark)
    if mark > of.end:
        return f"{where} was created again after the mark: it ends at {end}, and the mark is {at}"
    if of.start > mark:
        return f"records of {where} before {positions.noun} {start} were deleted after the mark, which is at {at}"
    return None


def _taken_by(profile: Profile, group: Group, bounds: Mapping[Place, Bounds]) -> dict[Place, Bounds]:
    """Return the places that a group takes or should take."""
    expected = profile.taken_by(group.id)
    return {place: of for place, of in bounds.items() if place in group.committed or place[0] in expected}


def _group_rows(
    connection: "DuckDBPyConnection", profile: Profile, group: Group, bounds: Mapping[Place, Bounds], lag: Mapping[Place, int]
) -> None:
    """Insert the rows of a group. A group of the stack has a row for each partition that it should take, even if it takes none."""
    expected = profile.taken_by(group.id)
    for place, of in sorted(_taken_by(profile, group, bounds).items(), key=lambda item: item[0]):
        row = {
            "group_id": group.id,
            "topic": place[0],
            "partition_no": place[1],
            "committed": group.committed.get(place),
            "log_start": of.start,
            "log_end": of.end,
            "lag": lag.get(place, 0),
            "members": group.members,
            "state": group.state,
            "expected": place[0] in expected,
        }
        database.insert(connection, "group_offsets", [row])
