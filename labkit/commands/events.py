"""labkit events: the events in Kafka as they come, and which of them nobody has taken."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from labkit import say, screen
from labkit.errors import ExitCode, UserError
from labkit.evidence import messages
from labkit.evidence.kafka_positions import Positions
from labkit.faults.targets import subscribers
from labkit.stack import state
from labkit.stack.kafka_wire import EARLIEST, LATEST, Place
from labkit.stack.model import Stack
from labkit.system.model import Profile

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

ANSWER_TIMEOUT = 5.0
LONGEST_PAYLOAD, LEAST_PAYLOAD = 100, 12  # characters that are shown
INTERVAL = 0.2  # seconds between two looks when following


def events(stack_name: str, *, follow: bool, unhandled: bool, lines: int | None, as_json: bool) -> ExitCode:
    """The records of all topics in the order of their time stamps; `unhandled` leaves only those that some subscriber has yet to take,
    and says which. `follow` goes on until Ctrl-C."""
    stack = state.load(stack_name)
    places = _places(stack)
    if unhandled:
        places = {place: (start, end) for place, (start, end) in places.items() if start < end and subscribers(stack.profile, place[0])}
    found = sorted(_read(stack, places), key=lambda event: (event["time"] or 0, event["topic"], event["partition"], event["offset"]))
    if unhandled:
        committed = _committed(stack)
        found = [{**event, "waiting_for": waiting} for event in found if (waiting := _waiting(stack.profile, event, committed))]
    with nullcontext() if follow else say.paged():
        for event in found[-lines:] if lines is not None else found:
            _show(stack.profile, event, as_json=as_json)
    if not follow:
        if not found and not as_json:
            say.line("Every event has been taken by all that subscribe to it." if unhandled else "Kafka holds no event yet.")
        return ExitCode.OK
    ends = {place: end for place, (_, end) in _places(stack).items()} if unhandled else {place: end for place, (_, end) in places.items()}
    while True:
        time.sleep(INTERVAL)
        now = _places(stack)
        news = {place: (ends.get(place, 0), end) for place, (_, end) in now.items() if ends.get(place, 0) < end}
        for event in sorted(_read(stack, news), key=lambda event: event["time"] or 0):
            _show(stack.profile, event, as_json=as_json)
        ends |= {place: end for place, (_, end) in news.items()}


def _places(stack: Stack) -> dict[Place, tuple[int, int]]:
    """First and end offset of each partition."""
    try:
        with Positions(stack.kafka, timeout=ANSWER_TIMEOUT) as broker:
            topics = broker.topics()
            starts, ends = broker.offsets(topics, EARLIEST), broker.offsets(topics, LATEST)
    except (OSError, ValueError) as error:
        raise _gone(error) from error
    return {place: (starts[place], end) for place, end in ends.items()}


def _committed(stack: Stack) -> dict[str, dict[Place, int]]:
    try:
        with Positions(stack.kafka, timeout=ANSWER_TIMEOUT) as broker:
            return {each.subscriber: broker.committed(each.subscriber) for each in stack.profile.subscriptions}
    except (OSError, ValueError) as error:
        raise _gone(error) from error


def _gone(error: Exception) -> UserError:
    return UserError(f"Kafka does not answer: {error}.", "labkit status", exit_code=ExitCode.UNKNOWN)


def _waiting(profile: Profile, event: Mapping[str, Any], committed: Mapping[str, Mapping[Place, int]]) -> list[str]:
    """The subscribers that have not taken it."""
    place = (event["topic"], event["partition"])
    groups = [each.subscriber for each in subscribers(profile, event["topic"])]
    return [group for group in groups if committed[group].get(place, 0) <= event["offset"]]


def _read(stack: Stack, places: Mapping[Place, tuple[int, int]]) -> Iterator[dict[str, Any]]:
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    unread = {place: end for place, (start, end) in places.items() if start < end}
    if not unread:
        return
    wire = messages.Wire(stack.profile)
    consumer = Consumer({**stack.kafka_client, "group.id": "labkit", "enable.auto.commit": False, "log_level": 0})
    try:
        consumer.assign([TopicPartition(*place, places[place][0]) for place in unread])
        while unread:
            first = consumer.poll(ANSWER_TIMEOUT)
            if first is None:
                raise _gone(OSError(f"no further record within {ANSWER_TIMEOUT:.0f} s"))
            for record in [first, *consumer.consume(500, 0)]:
                if record.error() is not None:
                    raise _gone(KafkaException(record.error()))
                place = (record.topic() or "", record.partition() or 0)
                offset = record.offset() or 0
                if place in unread and offset < unread[place]:
                    yield from _events(wire, record, place, offset)
                if offset + 1 >= unread.get(place, 0):
                    unread.pop(place, None)
    finally:
        _close(consumer)


def _close(consumer: "Consumer") -> None:
    consumer.close()


def _events(wire: messages.Wire, record: "Message", place: Place, offset: int) -> Iterator[dict[str, Any]]:
    value = record.value()
    data = value.encode() if isinstance(value, str) else value
    kind, milliseconds = record.timestamp()
    where = {"time": milliseconds / 1000 if kind else None, "topic": place[0], "partition": place[1], "offset": offset}
    found = messages.of_record(data)
    for headers, payload in found:
        about = wire.about(headers, payload)
        yield {**where, "event": about.event, "aggregate_id": about.aggregate_id, "message_id": about.message_id, "payload": payload}
    if not found:
        yield {**where, "event": None, "aggregate_id": None, "message_id": None, "payload": (data or b"").decode(errors="replace")}


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
