"""labkit events: the events in the broker, in order of arrival, and which of them are still waiting for a subscriber."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from labkit import brokers
from labkit.brokers.model import Bounds, Place, Position, Record
from labkit.errors import ExitCode, UserError
from labkit.evidence import messages
from labkit.faults.targets import subscribers
from labkit.stack import state
from labkit.stack.model import Stack
from labkit.system.model import Profile
from labkit.terminal import say, screen

ANSWER_S = 5.0
LONGEST_PAYLOAD, LEAST_PAYLOAD = 100, 12  # characters shown
INTERVAL = 0.2  # seconds between two polls when following

Committed = Mapping[str, Mapping[Place, Position]]
"""The position from which each group continues, per partition."""


def events(stack_name: str, *, follow: bool, unhandled: bool, lines: int | None, as_json: bool) -> ExitCode:
    """Print the records of all channels in the order of their timestamps. `unhandled` keeps only records that at least one subscriber
    has not yet taken, and names the subscribers. `follow` continues until Ctrl-C."""
    stack = state.load(stack_name)
    bounds = _bounds(stack)
    starts = {place: of.start for place, of in bounds.items() if not unhandled or subscribers(stack.profile, place[0])}
    ends = {place: of.end for place, of in bounds.items()}
    records = sorted(_read(stack, starts, ends), key=lambda record: (record.time_ms or 0, *record[:3]))
    found = list(_unhandled(stack, records)) if unhandled else [event for record in records for event in _events(stack.profile, record)]
    with nullcontext() if follow else say.paged():
        for event in found[-lines:] if lines is not None else found:
            _show(stack.profile, event, as_json=as_json)
    if not follow:
        if not found and not as_json:
            nothing = f"{brokers.of(stack).title} holds no event yet."
            say.line("Every subscriber has taken all its events." if unhandled else nothing)
        return ExitCode.OK
    while True:
        time.sleep(INTERVAL)
        now = _bounds(stack)
        starts = {place: ends.get(place, of.start) for place, of in now.items()}
        ends |= {place: of.end for place, of in now.items()}
        for record in sorted(_read(stack, starts, ends), key=lambda record: record.time_ms or 0):
            for event in _events(stack.profile, record):
                _show(stack.profile, event, as_json=as_json)


def _bounds(stack: Stack) -> dict[Place, Bounds]:
    try:
        with brokers.of(stack).connect(ANSWER_S) as broker:
            return broker.bounds(broker.channels())
    except (OSError, ValueError) as error:
        raise _gone(stack, error) from error


def _committed(stack: Stack) -> Committed:
    try:
        with brokers.of(stack).connect(ANSWER_S) as broker:
            return {each.subscriber: broker.committed(each.subscriber) for each in stack.profile.subscriptions}
    except (OSError, ValueError) as error:
        raise _gone(stack, error) from error


def _gone(stack: Stack, error: Exception) -> UserError:
    return UserError(f"{brokers.of(stack).title} does not answer: {error}.", "labkit status", exit_code=ExitCode.UNKNOWN)


def _unhandled(stack: Stack, records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    committed = _committed(stack)
    for record in records:
        if waiting := _waiting(stack.profile, record, committed):
            for event in _events(stack.profile, record):
                yield {**event, "waiting_for": waiting}


def _waiting(profile: Profile, record: Record, committed: Committed) -> list[str]:
    """Return the subscribers that have not yet taken the record."""
    place = (record.channel, record.partition)
    groups = [each.subscriber for each in subscribers(profile, record.channel)]
    return [group for group in groups if place not in committed[group] or committed[group][place] <= record.position]


def _read(stack: Stack, starts: Mapping[Place, Position], ends: Mapping[Place, Position]) -> Iterator[Record]:
    try:
        for batch in brokers.of(stack).read(starts, ends, silence_s=ANSWER_S):
            yield from batch
    except OSError as error:
        raise _gone(stack, error) from error


def _events(profile: Profile, record: Record) -> Iterator[dict[str, Any]]:
    wire = messages.Wire(profile)
    time_s = None if record.time_ms is None else record.time_ms / 1000
    position = brokers.positions(profile).written(record.position)
    where = {"time": time_s, "topic": record.channel, "partition": record.partition, "offset": position}
    found = messages.of_record(record.value)
    for headers, payload in found:
        about = wire.about(headers, payload)
        yield {**where, "event": about.event, "aggregate_id": about.aggregate_id, "message_id": about.message_id, "payload": payload}
    if not found:
        yield {**where, "event": None, "aggregate_id": None, "message_id": None, "payload": (record.value or b"").decode(errors="replace")}


def _show(profile: Profile, event: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        say.raw(json.dumps(event))
        return
    at = time.strftime("%H:%M:%S", time.gmtime(event["time"])) + f".{event['time'] % 1 * 1000:03.0f}" if event["time"] else "no time"
    name = say.one_line(event["event"] or "(no message)")
    about = "" if event["aggregate_id"] is None else f" {say.one_line(str(event['aggregate_id']))}"
    short = profile.short(event["topic"])
    foreign = "" if short != event["topic"] else f"  {short}"
    place = f"{short}/{event['partition']}/{event['offset']}"
    waiting = f"  waits for {', '.join(event['waiting_for'])}" if event.get("waiting_for") else ""
    line = f"{at}  {place:16}  {name + about:32}"
    left = screen.width() - len(line) - len(foreign) - len(waiting) - 2
    payload = say.one_line(event["payload"][:LONGEST_PAYLOAD])
    shown = payload if len(payload) <= left else f"{payload[: left - 1]}…" if left >= LEAST_PAYLOAD else ""
    say.line(f"{line}  {shown}{foreign}{waiting}".rstrip())
