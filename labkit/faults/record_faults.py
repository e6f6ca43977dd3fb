"""Faults that labkit plants on the broker: duplicate, reorder, poison, trim, tick. F4, F5, F9, F10, F11.

Each planted record carries the header `labkit-fault` with the fault's id and is listed in the facts under `planted`. `attempts` counts
records before they are sent. If the broker never answers, it is unknown whether the record arrived, so the evidence looks for its header.
"""

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from labkit import brokers
from labkit.errors import UserError
from labkit.faults import components, control, kill_points, positions
from labkit.faults.ledger import Fault, Ledger
from labkit.faults.primitive import Facts, Primitive, Proof, nothing_left, nothing_to_undo
from labkit.faults.service_faults import arm, disarm, probe
from labkit.faults.targets import TIME, subscribers, subscription
from labkit.stack import sql
from labkit.stack.model import Stack
from labkit.system import messaging
from labkit.system.model import Profile, Subscription

ANSWER_S = 5.0
TAKEN_S = 5.0
LOOK_S = 0.02
_OWN_PART = 0xFF << 16  # of message ids, next to the parts of the services
_encode = msgspec.json.Encoder().encode


def new_message_id(stack: Stack) -> str:
    return f"{time.time_ns() // 1_000_000:016x}-{(stack.address_bits << 24 | _OWN_PART) << 16:016x}"


def value_of(headers: str, payload: str) -> bytes:
    """Return the record for an outbox row. `headers` is JSON text."""
    return b'{"payload":' + _encode(payload) + b',"headers":' + headers.encode() + b"}"


def outbox_row(stack: Stack, message_id: str) -> dict[str, str]:
    """Return `channel`, `headers`, `payload` and `key` of a message. Raises UserError when no outbox has it."""
    schemas = stack.profile.schemas
    query = " UNION ALL ".join(f"SELECT destination, headers, payload FROM {s}.{messaging.OUTBOX} WHERE id = %s" for s in schemas)
    try:
        with sql.connected(stack.mysql) as cursor:
            cursor.execute(query, [message_id] * len(schemas))
            row = cursor.fetchone()
    except OSError as error:
        raise UserError(f"MySQL does not answer: {error}.", "labkit status") from error
    if row is None:
        raise UserError(f"No outbox has a message {message_id}.", "labkit events shows the messages and their ids")
    headers = msgspec.json.decode(row[1], type=dict[str, str])
    return {"channel": row[0], "headers": row[1], "payload": row[2], "key": headers.get("PARTITION_ID") or headers["ID"]}


def _plant(stack: Stack, ledger: Ledger, fault: Fault, planted: list[dict[str, Any]], what: Mapping[str, Any]) -> None:
    """Publish one record, and append its `topic`, `partition` and `offset` to `planted`. Raises UserError.

    `what` has `channel`, `key`, `value` (hexadecimal) and an optional `partition`.
    """
    ledger.tell("note", fault, {"attempts": len(planted) + 1})
    value = bytes.fromhex(what["value"])
    partition, position = positions.publish(
        stack, what["channel"], what["key"].encode(), value, planted_by=fault.id, partition=what.get("partition")
    )
    planted.append({"topic": what["channel"], "partition": partition, "offset": brokers.positions(stack.profile).written(position)})
    kill_points.reached("planted")
    ledger.tell("note", fault, {"planted": planted})


def watches(profile: Profile, channel: str, **match: object) -> list[dict[str, Any]]:
    """Return entries for the armed file: each subscriber of the channel reports when it has taken a matching message."""
    return [
        {"kind": "watch", "target": w.component, "subscriber": w.subscriber, "channel": channel, **match}
        for w in subscribers(profile, channel)
    ]


def _plant_watched(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    """Plant the records of the settings (`records`, or one record `times` times) and wait until each subscriber has taken them."""
    settings = fault.settings
    facts = arm(stack, ledger, fault)
    planted: list[dict[str, Any]] = []
    for what in settings.get("records") or [settings] * settings.get("times", 1):
        _plant(stack, ledger, fault, planted, what)
    waiting = _await_taken(stack, fault, planted)
    return {**facts, "planted": planted, "not_taken_by": waiting, "over": not waiting}


def _await_taken(stack: Stack, fault: Fault, planted: list[dict[str, Any]]) -> list[str]:
    """Return the subscribers that have not reported all planted records after TAKEN_S (5 s)."""
    wanted = {
        (entry["target"], place["partition"], place["offset"])
        for entry in fault.settings["armed"]
        for place in planted
        if entry["channel"] == place["topic"]
    }
    deadline = time.monotonic() + TAKEN_S
    while True:
        taken = {
            (h["component"], h.get("partition"), h.get("position")) for h in control.hits(stack.directory, fault) if h["what"] == "taken"
        }
        missing = wanted - taken
        if not missing or time.monotonic() > deadline:
            return sorted({component for component, _, _ in missing})
        time.sleep(LOOK_S)


def prove_planted(stack: Stack, ledger: Ledger, fault: Fault) -> Proof:
    """Each subscriber reports that it has taken the records, and its committed position is past them."""
    planted = fault.facts.get("planted", [])
    if not planted:
        return Proof()
    taken = {h["component"] for h in control.hits(stack.directory, fault) if h["what"] == "taken"}
    service = f"{', '.join(sorted(taken))} took it" if taken else None
    behind = [who.subscriber for who in _all_subscribers(stack, fault) if not _past(stack, who, planted)]
    noun = brokers.positions(stack.profile).noun
    places_said = ", ".join(f"partition {p['partition']}, {noun} {p['offset']}" for p in planted)
    return Proof(service, None if behind else f"{places_said}: every group is past it")


def _all_subscribers(stack: Stack, fault: Fault) -> list[Subscription]:
    return [subscription(stack.profile, entry["subscriber"]) for entry in fault.settings["armed"]]


def _past(stack: Stack, who: Subscription, planted: list[dict[str, Any]]) -> bool:
    deadline = time.monotonic() + 1.0  # a group commits its positions shortly after it has taken the records
    while True:
        if all(
            (positions.taken_up_to(stack, who, p["topic"], p["partition"]) or 0) > positions.parsed(stack, p["offset"]) for p in planted
        ):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)


def _reorder(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    """Hold one message until the other is taken. If both have the same key, a copy of the other overtakes in another partition."""
    facts = arm(stack, ledger, fault)
    if fault.settings.get("value") is None:
        return facts
    settings = fault.settings
    planted: list[dict[str, Any]] = []
    _plant(stack, ledger, fault, planted, settings)
    return {**facts, "planted": planted}


def prove_reorder(stack: Stack, ledger: Ledger, fault: Fault) -> Proof:
    """The gate held the one message until the other was taken, and the inbox has the other one first."""
    hits = control.hits(stack.directory, fault)
    held = [h for h in hits if h["what"] == "held"]
    released = [h for h in hits if h["what"] == "released"]
    if not held or not released:
        return Proof(f"{held[0]['component']} holds it" if held else None)
    service = f"{held[0]['component']} held {fault.settings['late']} until it had taken {fault.settings['early']}"
    return Proof(service, _taken_in_order(stack, held[0]["subscriber"], fault.settings["early"], fault.settings["late"]))


def _taken_in_order(stack: Stack, subscriber: str, early: str, late: str) -> str | None:
    query = " UNION ALL ".join(
        f"SELECT message_id, creation_time FROM {s}.{messaging.INBOX} WHERE consumer_id = %s AND message_id IN (%s, %s)"
        for s in stack.profile.schemas
    )
    deadline = time.monotonic() + TAKEN_S
    while time.monotonic() < deadline:
        with sql.connected(stack.mysql) as cursor:
            cursor.execute(query, [subscriber, early, late] * len(stack.profile.schemas))
            times: dict[str, int] = dict(cursor.fetchall())
        if early in times and late in times:
            return f"the inbox has {early} first" if times[early] <= times[late] else None
        time.sleep(LOOK_S)
    return None


def _skip_poison(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    """Stop a subscriber that is stuck on the record, move it behind the record, and start it again."""
    facts = disarm(stack, ledger, fault)
    skipped = []
    for who in _all_subscribers(stack, fault):
        for place in fault.facts.get("planted", []):
            if components.works(stack, who.component) and not _past(stack, who, [place]):
                taken = positions.taken_up_to(stack, who, place["topic"], place["partition"]) or 0
                if taken == (position := positions.parsed(stack, place["offset"])):
                    positions.move_behind(stack, who, place["topic"], place["partition"], position)
                    skipped.append(who.component)
    return {**facts, "skipped_by": skipped} if skipped else facts


def _trim(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    settings = fault.settings
    written = brokers.positions(stack.profile).written
    starts_before, starts_after = {}, {}
    for partition in settings["partitions"]:
        of = positions.bounds(stack, settings["channel"], partition)
        starts_before[str(partition)] = written(of.start)
        upto = of.end if settings.get("before") is None else min(positions.parsed(stack, settings["before"]), of.end)
        start = positions.trim(stack, (settings["channel"], partition), upto) if upto > of.start else of.start
        starts_after[str(partition)] = written(start)
    return {"start_before": starts_before, "start_after": starts_after}


def prove_trim(stack: Stack, ledger: Ledger, fault: Fault) -> Proof:
    """The broker's answer to the deletion, and where it reports that its log starts now."""
    wanted: dict[str, int | str] = fault.facts.get("start_after", {})
    if not wanted or wanted == fault.facts.get("start_before"):
        return Proof()
    now = {partition: positions.bounds(stack, fault.settings["channel"], int(partition)).start for partition in wanted}
    seen = ", ".join(f"partition {partition} starts at {positions.said(stack, start)}" for partition, start in now.items())
    trimmed = all(now[partition] >= positions.parsed(stack, start) for partition, start in wanted.items())
    return Proof("the broker deleted the records before it", seen if trimmed else None)


def _tick(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    positions.ensure(stack, TIME)
    planted: list[dict[str, Any]] = []
    for message in fault.settings["messages"]:
        _plant(stack, ledger, fault, planted, {"channel": TIME, **message})
    return {"planted": planted}


def prove_tick(stack: Stack, ledger: Ledger, fault: Fault) -> Proof:
    planted = fault.facts.get("planted", [])
    inside = [p for p in planted if positions.bounds(stack, p["topic"], p["partition"]).end > positions.parsed(stack, p["offset"])]
    if not planted:
        return Proof()
    return Proof(f"the broker took {len(planted)}", f"{len(inside)} are on {TIME}" if len(inside) == len(planted) else None)


DUPLICATE = Primitive("duplicate", "publish an exact copy of a message", _plant_watched, disarm, probe, prove_planted, one_shot=True)
REORDER = Primitive("reorder", "let one message be taken before another", _reorder, disarm, probe, prove_reorder)
POISON = Primitive(
    "poison", "publish a message that no service can read", _plant_watched, _skip_poison, probe, prove_planted, one_shot=True
)
TRIM = Primitive("trim", "delete the older records of a channel, for good", _trim, nothing_to_undo, nothing_left, prove_trim, one_shot=True)
TICK = Primitive("tick", "publish the passage of time", _tick, nothing_to_undo, nothing_left, prove_tick, one_shot=True)
