"""Faults that a service triggers itself at the right moment: gate, crash, barrier, delay, switch. F1, F2, F3, F8."""

import time
from typing import Any

from labkit import brokers
from labkit.errors import UserError
from labkit.faults import components, control, positions
from labkit.faults.ledger import Fault, Ledger
from labkit.faults.primitive import Facts, Primitive, Proof
from labkit.faults.targets import subscription
from labkit.stack import processes
from labkit.stack.model import Stack
from labkit.system import messaging

CRASH_EXIT_CODE = 137
END_S = 5.0
LOOK_S = 0.02


def targets(fault: Fault) -> list[str]:
    return sorted({str(entry["target"]) for entry in fault.settings["armed"]})


def arm(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    """Arm the fault in its services. Raises NotAcknowledged, or UserError when the failpoint or route does not exist."""
    _refuse_unknown(stack, fault)
    generation = control.write_armed(ledger)
    control.await_acknowledgement(stack, targets(fault), generation)
    _refuse_unknown(stack, fault)
    return {"generation": generation, "runs": {name: components.identity(stack, name) for name in targets(fault)}}


def _refuse_unknown(stack: Stack, fault: Fault) -> None:
    for entry in fault.settings["armed"]:
        said = control.acknowledged(stack.directory, entry["target"])
        if said is None:
            continue
        for what, known in (("point", said.points), ("route", said.routes)):
            if entry.get(what) and entry[what] not in known:
                name = {"point": "failpoint", "route": "route"}[what]
                raise UserError(
                    f"{entry['target']} has no {name} {entry[what]!r}.", "labkit fault list", details=[f"it has {k}" for k in sorted(known)]
                )


def disarm(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    generation = control.write_armed(ledger)
    running = [name for name in targets(fault) if components.works(stack, name)]
    control.await_disarmed(stack, running, generation)  # a stopped service reads the armed file when it starts
    return {"disarmed": generation}


def disarm_and_restart(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    """Disarm the fault, and start each service again that ended at its failpoint."""
    _await_ends(stack, fault)  # a service that is about to end does not acknowledge
    facts = disarm(stack, ledger, fault)
    for name in _await_ends(stack, fault):
        if components.is_down(stack, name):
            position = positions.binlog_position(stack)
            components.start_only(stack, name)
            facts |= {"restarted": name, "binlog_at_start": position}
    return facts


def _await_ends(stack: Stack, fault: Fault) -> set[str]:
    """Wait for the services that reported a crash to end (at most END_S). Returns the names of these services."""
    ended = {str(hit["component"]) for hit in _hits(stack, fault, "crash")}
    runs = {name: run for name, run in fault.facts.get("runs", {}).items() if name in ended}
    processes.wait_until(lambda: all(components.identity(stack, name) != run for name, run in runs.items()), END_S)
    return ended


def probe(stack: Stack, ledger: Ledger, fault: Fault) -> str | None:
    if fault.id in control.armed_ids(stack.directory):
        return "it is armed"
    generation = int(fault.facts.get("disarmed", 0))
    for name in targets(fault):
        said = control.acknowledged(stack.directory, name)
        if (said is None or said.generation < generation) and components.works(stack, name):
            return f"{name} has not acknowledged that it is disarmed"
    return None


def probe_crash(stack: Stack, ledger: Ledger, fault: Fault) -> str | None:
    for name in {hit["component"] for hit in _hits(stack, fault, "crash")}:
        if (down := components.never_started(stack, name, fault.healing)) is not None:
            return down
    return probe(stack, ledger, fault)


def _hits(stack: Stack, fault: Fault, *what: str) -> list[dict[str, Any]]:
    return [hit for hit in control.hits(stack.directory, fault) if hit["what"] in what]


def _place(stack: Stack, hit: dict[str, Any]) -> str:
    return f"partition {hit['partition']}, {positions.said(stack, positions.parsed(stack, hit['position']))}"


def prove_gate(stack: Stack, ledger: Ledger, fault: Fault) -> Proof:
    """The service reports that it holds the message. The broker shows how far the group has come."""
    held = _hits(stack, fault, "held")
    if not held:
        return Proof()
    hit = held[-1]
    service = f"{hit['component']} holds {hit.get('event_type', '').rpartition('.')[2] or 'a message'} at {_place(stack, hit)}"
    if (released := _hits(stack, fault, "released")) and released[-1]["position"] == hit["position"]:
        service = service.replace(" holds ", " held ")
    if not fault.over and fault.state == "active":
        taken = positions.taken_up_to(stack, subscription(stack.profile, hit["subscriber"]), hit["channel"], hit["partition"])
        of = positions.bounds(stack, hit["channel"], hit["partition"])
        upto = of.start if taken is None else taken
        if upto <= positions.parsed(stack, hit["position"]) < of.end:
            end = brokers.positions(stack.profile).written(of.end)
            return Proof(service, f"{hit['subscriber']} has taken up to {positions.said(stack, upto)} of {end}")
        return Proof(service)
    return Proof(service, fault.facts.get("proof_outside"))


def prove_crash(stack: Stack, ledger: Ledger, fault: Fault) -> Proof:
    """The service writes the hit before it ends. Its parent sees how it ended."""
    for hit in _hits(stack, fault, "crash"):
        message = f" with message {hit['message_id']}" if hit.get("message_id") else ""
        service = f"{hit['component']} passed {hit['point']} for the {nth(hit['hit'])} time{message}"
        end = components.end_of(stack, hit["component"], hit["time"])
        # some engines report a signal as an exit code
        if end is not None and (end.exit_code == CRASH_EXIT_CODE or end.signal == CRASH_EXIT_CODE - 128):
            return Proof(service, f"{hit['component']} ended {end}")
        return Proof(service)
    return Proof()


def prove_barrier(stack: Stack, ledger: Ledger, fault: Fault) -> Proof:
    """The service reports that the parties met. The inbox shows that none of them had committed before."""
    for hit in _hits(stack, fault, "met"):
        parties = [str(party) for party in hit["parties"]]
        service = f"{len(parties)} met at {hit['point']}: {', '.join(parties)}"
        return Proof(service, _committed_after(stack, parties, hit["time"]))
    return Proof()


def not_met(stack: Stack, fault: Fault) -> str | None:
    """Returns a sentence that names the parties that arrived before the barrier timed out, or None when it did not time out."""
    for hit in _hits(stack, fault, "not met"):
        came = ", ".join(str(party) for party in hit["parties"])
        return f"they did not meet at {hit['point']} within {hit['after_s']:g} s; arrived: {came}"
    return None


def _committed_after(stack: Stack, message_ids: list[str], moment: float) -> str | None:
    from labkit.stack.sql import connected

    some = ", ".join(["%s"] * len(message_ids))
    schemas = stack.profile.schemas
    query = " UNION ALL ".join(f"SELECT message_id FROM {s}.{messaging.INBOX} WHERE message_id IN ({some})" for s in schemas)
    deadline = time.monotonic() + 2.0
    while time.monotonic() < deadline:
        with connected(stack.mysql) as cursor:
            cursor.execute(query, message_ids * len(schemas))
            found = {row[0] for row in cursor.fetchall()}
        if found == set(message_ids):
            return f"all {len(found)} are in the inbox, committed after {time.strftime('%H:%M:%S', time.localtime(moment))}"
        time.sleep(LOOK_S)
    return None


def prove_delay(stack: Stack, ledger: Ledger, fault: Fault) -> Proof:
    """The service reports the delay. The facts hold the measured delay when the caller measured it."""
    hits = _hits(stack, fault, "delayed")
    return Proof(f"{len(hits)} delayed" if hits else None, fault.facts.get("measured"))


def prove_switch(stack: Stack, ledger: Ledger, fault: Fault) -> Proof:
    said = control.acknowledged(stack.directory, targets(fault)[0])
    loaded = said is not None and said.generation >= int(fault.facts.get("generation", 1 << 62))
    return Proof(f"{targets(fault)[0]} has loaded it" if loaded else None)


def nth(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


GATE = Primitive("gate", "hold a subscriber before a message", arm, disarm, probe, prove_gate)
CRASH = Primitive("crash", "end a service at a named failpoint", arm, disarm_and_restart, probe_crash, prove_crash)
BARRIER = Primitive("barrier", "let two handlers meet at a failpoint", arm, disarm, probe, prove_barrier)
DELAY = Primitive("delay", "slow down a route or a subscriber", arm, disarm, probe, prove_delay)
SWITCH = Primitive("switch", "change a setting of a service while it runs", arm, disarm, probe, prove_switch)
