"""labkit fault: inject a fault by hand, list the available faults, show the faults that are set."""

import json
import time
from collections.abc import Callable
from typing import Any

from labkit.errors import ExitCode, UserError
from labkit.faults import control, engine, notes
from labkit.faults.engine import FaultSpec
from labkit.faults.ledger import Fault, Ledger
from labkit.faults.targets import subscribers
from labkit.stack import runtimes, state
from labkit.stack.model import Stack
from labkit.system import messaging
from labkit.system.model import Profile
from labkit.terminal import say

LOOK_AT = {
    "gate": "labkit fault status shows what it holds",
    "crash": "labkit fault status shows when it fired; labkit status shows who is down",
    "barrier": "labkit fault status shows who met",
    "duplicate": "labkit logs {component} --lines 20",
    "reorder": "labkit fault status shows what it holds",
    "lock": "labkit fault status shows who waits",
    "kill": "labkit status",
    "stop": "labkit status",
    "pause": "labkit status",
    "cut": "labkit status",
    "delay": "labkit fault status counts what it delayed",
    "trim": "labkit status",
    "tick": "labkit fault status",
    "switch": "labkit fault status",
}


def fault(stack_name: str, make: Callable[[Stack], FaultSpec], *, seconds: float | None = None, as_json: bool = False) -> ExitCode:
    """Inject the fault that `make` specifies. Print what was done, where to look, and how to undo it."""
    stack = runtimes.load_running(stack_name)
    notes.heal_left_behind(stack, to_errors=as_json)
    begun = time.monotonic()
    made = engine.apply(stack, make(stack), seconds=seconds)
    if as_json:
        say.raw(json.dumps(facts(stack, made), indent=2))
        return ExitCode.OK
    say.line(f"Fault {made.id}: {made.said}.")
    for label, text in (
        ("done", _done(made, time.monotonic() - begun)),
        ("look", _look(stack, made)),
        ("undo", _undo(stack, made, seconds)),
    ):
        say.line(f"  {label}  {text}")
    return ExitCode.OK


def _done(made: Fault, took: float) -> str:
    planted = made.facts.get("planted", [])
    if planted:
        where = ", ".join(f"{p['topic'].rpartition('.')[2]}, partition {p['partition']}, offset {p['offset']}" for p in planted[:3])
        missing = made.facts.get("not_taken_by") or []
        return f"published at {where}" + (f"; not taken yet by {', '.join(missing)}" if missing else "")
    if "start_after" in made.facts:
        return "the partitions start at " + ", ".join(f"{p}: {low}" for p, low in made.facts["start_after"].items())
    if "generation" in made.facts:
        return f"armed in {', '.join(made.facts['runs'])}, acknowledged after {took * 1000:.0f} ms"
    if "connection" in made.facts:
        return f"a labkit transaction holds it (connection {made.facts['connection']})"
    return f"after {took * 1000:.0f} ms"


def _look(stack: Stack, made: Fault) -> str:
    if made.verb == "poison":
        return _look_at_poison(stack.profile, made)
    return LOOK_AT[made.verb].format(component="customers")


def _look_at_poison(profile: Profile, made: Fault) -> str:
    """Return where to look. Each subscriber parks a poison message in its own place; all of them skip a message of an unknown type."""
    takers = subscribers(profile, made.settings["channel"])
    if made.settings.get("skipped_as_unknown"):
        return f"labkit fault status shows that {' and '.join(who.component for who in takers)} skip it; nothing is parked"
    places = [f"in Redis XRANGE deadletter:{who.subscriber} - +" if who.stores_positions else
              f"SELECT * FROM {who.store}.{messaging.DEAD_LETTERS}" for who in takers]  # fmt: skip
    return f"the dead letters: {', '.join(places)}"


def _undo(stack: Stack, made: Fault, seconds: float | None) -> str:
    if made.verb in ("trim", "tick", "duplicate") and made.over:
        return "published or deleted records stay so; labkit reset starts over"
    if made.over:
        return "nothing is left of it; labkit reset starts over"
    name = "" if stack.name == "default" else f" --name {stack.name}"
    return f"labkit heal {made.id}{name}" + (f"; automatically in {seconds:g} s" if seconds else "")


def status(stack_name: str, *, as_json: bool) -> ExitCode:
    """Show the faults that are set and the last five that were healed. Changes nothing."""
    stack = state.load(stack_name)
    ledger = Ledger(stack.directory)
    everything = ledger.all()
    there = [fault for fault in everything if not fault.over]
    if as_json:
        say.raw(json.dumps({"faults": [facts(stack, fault) for fault in everything]}, indent=2))
        return ExitCode.OK
    if not there:
        say.line("No fault is set.")
    for each in there:
        _show(stack, each)
    over = [fault for fault in everything if fault.over][-5:]
    if over:
        say.line("\nRecently healed:")
        for each in over:
            say.line(f"  {each.id:>3}  {each.said}  ({each.facts.get('how', 'healed')})")
    if there:
        say.line("\nNext: labkit heal --all")
    return ExitCode.OK


def _show(stack: Stack, fault: Fault) -> None:
    whose = "by hand" if fault.by_hand else f"by {fault.owner.command}"
    if engine.left_behind_one(stack, fault):
        whose += ", left behind"
    until = f", until {time.strftime('%H:%M:%S', time.localtime(fault.until))}" if fault.until else ""
    say.line(f"Fault {fault.id}: {fault.said}  ({whose}, {time.time() - fault.made:.0f} s ago{until})")
    proof = engine.proof(stack, fault)
    say.line(f"  fired    {'yes' if proof.fired else 'not yet' if proof.service is None else 'only the service says so'}")
    for label, text in (("service", proof.service), ("outside", proof.outside), ("now", _now(stack, fault))):
        if text:
            say.line(f"  {label:7}  {text}")


def _now(stack: Stack, fault: Fault) -> str | None:
    from labkit.faults.service_faults import not_met

    if fault.verb == "barrier" and (missed := not_met(stack, fault)):
        return missed
    try:
        return engine.left(stack, fault) or "nothing of it is left"
    except (UserError, OSError) as error:
        return f"cannot be determined: {error}"


def facts(stack: Stack, fault: Fault) -> dict[str, Any]:
    """Return a fault as JSON data. Times are in epoch seconds."""
    proof = engine.proof(stack, fault)
    return {
        "id": fault.id,
        "verb": fault.verb,
        "target": fault.target,
        "said": fault.said,
        "state": fault.state,
        "owner": {"kind": fault.owner.kind, "command": fault.owner.command, "alive": fault.owner.alive()},
        "left_behind": engine.left_behind_one(stack, fault),
        "made": fault.made,
        "applied": fault.applied,
        "healed": fault.healed,
        "until": fault.until,
        "settings": fault.settings,
        "facts": fault.facts,
        "hits": control.hits(stack.directory, fault),
        "fired": proof.fired,
        "proof": {"service": proof.service, "outside": proof.outside},
    }


def list_all(stack_name: str, *, as_json: bool) -> ExitCode:
    """List every verb, and what can be armed in the running services."""
    from labkit.faults.registry import PRIMITIVES

    stack = state.find_undamaged(stack_name)
    said = {name: control.acknowledged(stack.directory, name) for name in stack.services} if stack else {}
    points = {name: sorted(ack.points) for name, ack in said.items() if ack and ack.points}
    routes = {name: sorted(ack.routes) for name, ack in said.items() if ack and ack.routes}
    if as_json:
        verbs = {verb: each.summary for verb, each in PRIMITIVES.items()}
        say.raw(json.dumps({"verbs": verbs, "failpoints": points, "routes": routes}, indent=2))
        return ExitCode.OK
    for verb, each in PRIMITIVES.items():
        say.line(f"  {verb:10}  {each.summary}")
    if points:
        say.line("\nFailpoints, for crash and barrier:")
        for name, own in points.items():
            say.line(f"  {name}")
            for point in own:
                say.line(f"    {point}")
    say.line("\nEach verb has its --help. Next: labkit fault gate --help")
    return ExitCode.OK
