"""labkit topics: what the broker holds per partition, and how far each consumer group has read."""

import json
from collections.abc import Mapping
from typing import Any

from labkit import brokers
from labkit.brokers.model import Bounds, Group, Place
from labkit.errors import ExitCode, UserError
from labkit.stack import state
from labkit.stack.model import Stack
from labkit.system.model import Profile
from labkit.terminal import say

ANSWER_S = 5.0


def topics(stack_name: str, *, by_key: bool, as_json: bool) -> ExitCode:
    """`by_key` shows how keys spread over the partitions. The events of a key that is in more than one partition have lost their order."""
    stack = state.load(stack_name)
    if by_key:
        return _by_key(stack, as_json=as_json)
    broker = brokers.of(stack)
    try:
        with broker.connect(ANSWER_S) as connection:
            bounds = connection.bounds(connection.channels())
            groups = connection.groups(connection.group_ids())
            lags = {group.id: connection.behind(group.committed, bounds).lag for group in groups}
    except (OSError, ValueError) as error:
        raise UserError(f"{broker.title} does not answer: {error}.", "labkit status", exit_code=ExitCode.UNKNOWN) from error
    partitions = [_partition(stack.profile, place, of, groups, lags) for place, of in sorted(bounds.items(), key=lambda item: item[0])]
    if as_json:
        say.raw(json.dumps(partitions, indent=1))
        return ExitCode.OK
    for topic in sorted({place[0] for place in bounds}):
        say.line(f"{stack.profile.short(topic)}\n  {topic}")  # too long to share a line
        for row in partitions:
            if row["topic"] == topic:
                taken = ", ".join(_taken(group) for group in row["groups"])
                held = f"{broker.positions.noun}s {row['start']} to {row['end']}  {row['records']:,} records"
                say.line(f"  partition {row['partition']}  {held}  {taken}".rstrip())
    for group in groups:
        is_own = stack.profile.subscription(group.id) is not None
        foreign = "" if is_own else ", not one of the stack's own"
        if is_own and group.strangers:
            foreign = f", one of them foreign: {', '.join(map(say.one_line, group.strangers))}"
        say.line(f"{group.id}: {group.state}, {group.members} {'member' if group.members == 1 else 'members'}{foreign}")
    return ExitCode.OK


def _partition(profile: Profile, place: Place, of: Bounds, groups: list[Group], lags: Mapping[str, Mapping[Place, int]]) -> dict[str, Any]:
    written = brokers.positions(profile).written
    taking = []
    for group in groups:
        if place in group.committed or place[0] in profile.taken_by(group.id):
            committed = None if (at := group.committed.get(place)) is None else written(at)
            taking.append({"group": group.id, "committed": committed, "lag": lags[group.id].get(place, 0)})
    where = {"topic": place[0], "partition": place[1], "start": written(of.start), "end": written(of.end), "records": of.records}
    return {**where, "groups": taking}


def _taken(group: Mapping[str, Any]) -> str:
    at = "nothing yet" if group["committed"] is None else f"at {group['committed']}"
    return f"{group['group']} {at}" + (f", {group['lag']} behind" if group["lag"] else "")


_KEYS = """
SELECT channel, key, list(DISTINCT partition_no ORDER BY partition_no) AS partitions, count(*) AS records,
  count(DISTINCT message_id) AS messages, list(DISTINCT event ORDER BY event) AS events
FROM records GROUP BY channel, key ORDER BY channel, try_cast(key AS BIGINT), key
"""


def _by_key(stack: Stack, *, as_json: bool) -> ExitCode:
    import tempfile
    from pathlib import Path

    from labkit.evidence.collect import collect

    with tempfile.TemporaryDirectory(prefix="labkit-topics-") as folder:
        connection = collect(stack, Path(folder, "now.duckdb"), sources=frozenset({"records"}), wait=False, tell=say.progress)
        say.progress("")
        try:
            gap = connection.execute("SELECT reason FROM completeness WHERE source IN ('records', 'groups') AND NOT complete").fetchone()
            rows = connection.execute(_KEYS).fetchall()
        finally:
            connection.close()
    if gap and not rows:
        raise UserError(f"Not all records can be read: {gap[0]}.", "labkit status", exit_code=ExitCode.UNKNOWN)
    if gap:
        say.problem(f"The data is incomplete: {gap[0]}.")
    names = ("topic", "key", "partitions", "records", "messages", "events")
    if as_json:
        say.raw(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=1))
        return ExitCode.OK
    for topic, key, partitions, records, messages, events in rows:
        where = f"partition {partitions[0]}" if len(partitions) == 1 else f"PARTITIONS {', '.join(map(str, partitions))}"
        copies = f", {records - messages} of them copies" if records > messages else ""
        said = say.one_line(", ".join(event for event in events if event))
        key = say.one_line(key) if key else "none"
        say.line(f"  {topic:10}  key {key:12}  {where:12}  {records:4} {'record' if records == 1 else 'records'}{copies}  {said}")
    split = [row for row in rows if len(row[2]) > 1]
    if split:
        are = "key is" if len(split) == 1 else "keys are"
        say.line(f"\n{len(split)} {are} in more than one partition: their events have no order among each other.")
    say.line(f"{len(rows):,} {'key' if len(rows) == 1 else 'keys'}")
    return ExitCode.OK
