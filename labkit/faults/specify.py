"""Turn the request of a person or a scenario into a FaultSpec. Each function raises UserError for an impossible request."""

import json
import time
from collections.abc import Sequence
from typing import Any

from labkit import brokers
from labkit.errors import ExitCode, UserError
from labkit.faults import components, positions
from labkit.faults.engine import FaultSpec, Wanted
from labkit.faults.record_faults import new_message_id, outbox_row, value_of, watches
from labkit.faults.service_faults import nth
from labkit.faults.targets import TIME, channel, short, subscribers, subscription
from labkit.stack.model import Stack
from labkit.system.model import Profile

OUTAGES = {
    "kill": "{} is killed at once",
    "stop": "{} is stopped",
    "pause": "{} is frozen: it neither works nor answers",
    "cut": "{} is cut off the network",
}


def gate(
    who: str,
    *,
    event_type: str | None = None,
    message_id: str | None = None,
    channel_name: str | None = None,
    partition: int | None = None,
    key: str | None = None,
) -> Wanted:
    """Hold a subscriber before a message. `who` is a component or a subscriber."""

    def on(stack: Stack) -> FaultSpec:
        target = subscription(stack.profile, who)
        match = _match(stack.profile, event_type, message_id, channel_name, partition, key)
        entry = {"kind": "gate", "target": target.component, "subscriber": target.subscriber, **match}
        return FaultSpec("gate", target.component, f"{target.component} waits before {_what(stack.profile, match)}", {"armed": [entry]})

    return on


def crash(component: str, point: str, *, hit: int = 1, message_id: str | None = None, event_type: str | None = None) -> Wanted:
    def on(stack: Stack) -> FaultSpec:
        _service(stack, component)
        if hit < 1:
            raise UserError("Hits are counted from 1.", "labkit fault list", exit_code=ExitCode.USAGE)
        match = _match(stack.profile, event_type, message_id, None, None, None)
        entry = {"kind": "crash", "target": component, "point": point, "hit": hit, **match}
        when = "" if hit == 1 else f" when it is reached for the {nth(hit)} time"
        return FaultSpec("crash", component, f"{component} ends at {point}{when}", {"armed": [entry]})

    return on


def barrier(component: str, point: str, *, parties: int = 2, timeout_s: float = 2.0) -> Wanted:
    def on(stack: Stack) -> FaultSpec:
        _service(stack, component)
        entry = {"kind": "barrier", "target": component, "point": point, "parties": parties, "timeout_s": timeout_s}
        return FaultSpec("barrier", component, f"{parties} handlers of {component} meet at {point}", {"armed": [entry]})

    return on


def delay(component: str, seconds: float, *, route: str | None = None, event_type: str | None = None) -> Wanted:
    """Delay one route (`POST /orders`), or each message that a subscriber takes."""

    def on(stack: Stack) -> FaultSpec:
        if route is not None:
            _service(stack, component)
            entry: dict[str, Any] = {"kind": "delay", "target": component, "route": route, "delay_s": seconds}
            return FaultSpec("delay", component, f"{component} answers {route} {seconds * 1000:.0f} ms later", {"armed": [entry]})
        target = subscription(stack.profile, component)
        match = _match(stack.profile, event_type, None, None, None, None)
        entry = {"kind": "delay", "target": target.component, "subscriber": target.subscriber, "delay_s": seconds, **match}
        said = f"{target.component} takes {seconds * 1000:.0f} ms more for {_what(stack.profile, match)}"
        return FaultSpec("delay", target.component, said, {"armed": [entry]})

    return on


def switch(component: str, name: str, value: str) -> Wanted:
    def on(stack: Stack) -> FaultSpec:
        _service(stack, component)
        entry = {"kind": "switch", "target": component, "name": name, "value": value}
        return FaultSpec("switch", component, f"{name} of {component} is {value}", {"armed": [entry]})

    return on


def outage(stack: Stack, verb: str, component: str) -> FaultSpec:
    if component not in stack.names:
        raise stack.no_component(component, "labkit status")
    components.refuse(stack, verb, component)
    return FaultSpec(verb, component, OUTAGES[verb].format(component), {})


def duplicate(stack: Stack, message_id: str, *, times: int = 1, partition: int | None = None, who: str | None = None) -> FaultSpec:
    """Publish a message again. With `who`, wait only until that subscriber takes the copy: the others may be down."""
    row = outbox_row(stack, message_id)
    armed = watches(stack.profile, row["channel"], message_id=message_id)
    settings = {
        "armed": [entry for entry in armed if who is None or entry["target"] == subscription(stack.profile, who).component],
        "channel": row["channel"],
        "key": row["key"],
        "value": value_of(row["headers"], row["payload"]).hex(),
        "times": times,
        "partition": partition,
    }
    often = "once more" if times == 1 else f"{times} times more"
    where = "" if partition is None else f" to partition {partition}"
    return FaultSpec("duplicate", short(stack.profile, row["channel"]), f"message {message_id} is published {often}{where}", settings)


def copies(stack: Stack, message_ids: Sequence[str]) -> FaultSpec:
    """Publish each of these messages once more, in order. Waits for no subscriber: the subscribers may be down."""
    rows = [outbox_row(stack, message_id) for message_id in message_ids]
    records = [{"channel": row["channel"], "key": row["key"], "value": value_of(row["headers"], row["payload"]).hex()} for row in rows]
    channels = ", ".join(sorted({short(stack.profile, row["channel"]) for row in rows}))
    return FaultSpec("duplicate", channels, f"{len(rows)} messages are published once more", {"armed": [], "records": records})


def said_again(stack: Stack, messages: Sequence[tuple[str, str]]) -> FaultSpec:
    """Publish a new message for each (message id, event): the payload of that message, a new id, and this event.

    Because the id is new, no subscriber can take the message for a duplicate.
    """
    records, armed, said = [], [], []
    for message_id, event in messages:
        row = outbox_row(stack, message_id)
        headers: dict[str, str] = json.loads(row["headers"])
        headers |= {"ID": new_message_id(stack), "event-type": f"{headers['event-type'].rpartition('.')[0]}.{event}Event"}
        time.sleep(0.001)  # message ids contain milliseconds
        armed += watches(stack.profile, row["channel"], message_id=headers["ID"])
        records.append({"channel": row["channel"], "key": row["key"], "value": value_of(json.dumps(headers), row["payload"]).hex()})
        said.append(f"{event} with the payload of message {message_id}")
    channels = ", ".join(sorted({short(stack.profile, str(record["channel"])) for record in records}))
    return FaultSpec("duplicate", channels, f"new messages are published: {'; '.join(said)}", {"armed": armed, "records": records})


def reorder(stack: Stack, late: str, early: str, *, who: str | None = None) -> FaultSpec:
    """Hold `late` until `early` is taken. If both are in one partition, a copy of `early` overtakes in another partition."""
    held, first = outbox_row(stack, late), outbox_row(stack, early)
    if held["channel"] != first["channel"]:
        raise UserError("The two messages are on different channels.", "labkit fault gate", exit_code=ExitCode.USAGE)
    takers = [subscription(stack.profile, who)] if who else subscribers(stack.profile, held["channel"])
    entries = [
        {"kind": "gate", "target": t.component, "subscriber": t.subscriber, "message_id": late, "release_after": early} for t in takers
    ]
    settings: dict[str, Any] = {"armed": entries, "late": late, "early": early, "channel": held["channel"], "key": first["key"]}
    count = positions.partitions(stack, held["channel"])
    if count < 2:
        raise UserError("The channel has one partition: no message can overtake another there.", "labkit fault list")
    own = positions.partition_of(stack, first["key"], count)
    if positions.partition_of(stack, held["key"], count) == own:
        settings |= {"value": value_of(first["headers"], first["payload"]).hex(), "partition": (own + 1) % count}
    return FaultSpec("reorder", short(stack.profile, held["channel"]), f"message {early} is taken before {late}", settings)


def poison(stack: Stack, channel_name: str, *, key: str = "1", partition: int | None = None, unknown_type: bool = False) -> FaultSpec:
    """Publish a record that is not a message. With `unknown_type`, publish a message of an unknown type, which services must skip."""
    name = channel(stack.profile, channel_name)
    settings: dict[str, Any] = {"channel": name, "key": key, "partition": partition}
    if unknown_type:
        message_id = new_message_id(stack)
        value = value_of(_headers(message_id, name, key, "Unheard"), "{}")
        settings |= {"armed": watches(stack.profile, name, message_id=message_id), "skipped_as_unknown": True}
    else:
        value = b'{"payload": "{", "headers": '
        settings |= {"armed": watches(stack.profile, name, key=key)}
    if not settings["armed"]:
        known = ", ".join(each.short.lower() for each in stack.profile.channels)
        raise UserError(f"No component subscribes to {name}; channels are {known}.", "labkit fault list", exit_code=ExitCode.USAGE)
    kind = "a message of an unknown type" if unknown_type else "a record that is not a message"
    return FaultSpec(
        "poison",
        short(stack.profile, name),
        f"{kind} is published on {short(stack.profile, name)} with key {key}",
        {**settings, "value": value.hex()},
    )


def trim(stack: Stack, channel_name: str, *, partitions: Sequence[int] = (), before: int | str | None = None) -> FaultSpec:
    """Delete all records, or the records before a position."""
    name = channel(stack.profile, channel_name)
    chosen = list(partitions) or list(range(positions.partitions(stack, name)))
    if not chosen:
        raise UserError(f"There is no channel {name}.", "labkit fault list", exit_code=ExitCode.USAGE)
    upto = None if before is None else positions.parsed(stack, before)
    which = "all records" if upto is None else f"all records before {positions.said(stack, upto)}"
    where = "" if not partitions else f", partition {', '.join(map(str, partitions))}"
    return FaultSpec(
        "trim",
        short(stack.profile, name),
        f"{which} of {short(stack.profile, name)}{where} are deleted",
        {"channel": name, "partitions": chosen, "before": None if upto is None else brokers.positions(stack.profile).written(upto)},
    )


def tick(stack: Stack, *, hours: int = 1, hour: int | None = None) -> FaultSpec:
    """Publish one HourHasPassed event for each of `hours` hours. `hour` is the first hour, in hours since 1970."""
    first = hour if hour is not None else int(time.time()) // 3600
    messages = []
    for number in range(first, first + hours):
        headers = _headers(new_message_id(stack), TIME, str(number), "HourHasPassed")
        messages.append({"key": str(number), "value": value_of(headers, f'{{"hour":{number}}}').hex()})
        time.sleep(0.001)  # message ids contain milliseconds
    often = "an hour has" if hours == 1 else f"{hours} hours have"
    return FaultSpec("tick", "time", f"services hear that {often} passed", {"messages": messages})


def lock(what: str, key: int) -> Wanted:
    """Lock one row. `what` is customer, order or reservation (a reservation is found by its order's id)."""

    def on(stack: Stack) -> FaultSpec:
        tables = {table.one: table for table in stack.profile.tables}
        if what not in tables:
            message = f"There is no row {what!r} to lock; there are {', '.join(tables)}."
            raise UserError(message, "labkit fault list", exit_code=ExitCode.USAGE)
        table = tables[what]
        column = next(column.source for column in table.columns if column.name == table.key[-1])
        return FaultSpec("lock", f"{what} {key}", f"the row of {what} {key} is locked", {"table": str(table), "column": column, "key": key})

    return on


def _headers(message_id: str, channel_name: str, key: str, event_type: str) -> str:
    now = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    about = {"event-aggregate-type": channel_name, "event-aggregate-id": key, "event-type": f"{channel_name}.{event_type}"}
    return json.dumps({**about, "ID": message_id, "PARTITION_ID": key, "DESTINATION": channel_name, "DATE": now})


def _match(
    profile: Profile, event_type: str | None, message_id: str | None, channel_name: str | None, partition: int | None, key: str | None
) -> dict[str, Any]:
    chosen = None if channel_name is None else channel(profile, channel_name)
    every = {"event_type": event_type, "message_id": message_id, "channel": chosen, "partition": partition, "key": key}
    return {name: value for name, value in every.items() if value is not None}


def _what(profile: Profile, match: dict[str, Any]) -> str:
    words = [f"each {match['event_type']}" if "event_type" in match else "each message"]
    if "message_id" in match:
        words = [f"message {match['message_id']}"]
    if "channel" in match:
        words.append(f"on {short(profile, match['channel'])}")
    if "partition" in match:
        words.append(f"in partition {match['partition']}")
    if "key" in match:
        words.append(f"with key {match['key']}")
    return " ".join(words)


def _service(stack: Stack, component: str) -> None:
    if component not in stack.services:
        message = f"{component!r} is not a service; services are {', '.join(stack.services)}."
        raise UserError(message, "labkit fault list", exit_code=ExitCode.USAGE)
