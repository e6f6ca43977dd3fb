"""Attribute ends and pauses of components to labkit's faults, from the ledger and the hits that the services wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.faults import control
from labkit.faults.ledger import Fault, Ledger

BEFORE_S, AFTER_S = 0.2, 2.0  # clock skew and precision; the delay until an end is noticed


@dataclass(frozen=True)
class Span:
    """From `since` to `until` (epoch seconds), fault `fault_id` may pause `component` or end one of its processes."""

    fault_id: str
    component: str
    events: frozenset[str]
    since: float
    until: float


def spans(stack_directory: Path) -> list[Span]:
    """Return the spans of all faults in the ledger."""
    return [span for fault in Ledger(stack_directory).all() for span in _of(stack_directory, fault)]


def span_behind(known: Sequence[Span], component: str, event: str, happened: float) -> Span | None:
    """Return the span of the fault that caused this event, or None when no labkit fault did.

    If two faults are close enough that either could have caused it, the later one counts. `event` is end, pause, unpause or start.
    """
    for span in reversed(known):
        if span.component == component and event in span.events and span.since <= happened <= span.until:
            return span
    return None


def _of(stack_directory: Path, fault: Fault) -> list[Span]:
    begin, end = fault.made - BEFORE_S, (fault.healed or float("inf")) + AFTER_S
    applied = (fault.applied or fault.healing or fault.made) + AFTER_S
    match fault.verb:
        case "kill" | "stop":
            return [
                Span(fault.id, fault.target, frozenset({"end"}), begin, applied),
                Span(fault.id, fault.target, frozenset({"start"}), begin, end),
            ]
        case "pause" | "cut":
            return [Span(fault.id, fault.target, frozenset({"pause", "unpause"}), begin, end)]
        case "crash":
            hits = [hit for hit in control.hits(stack_directory, fault) if hit["what"] == "crash"]
            return [part for hit in hits for part in _crash(fault, hit, end)]
        case "poison":  # a subscriber that is stuck on the record is restarted behind it
            healing = fault.healing or float("inf")
            skipped = fault.facts.get("skipped_by", [])
            return [Span(fault.id, name, frozenset({"end", "start"}), healing - BEFORE_S, end) for name in skipped]
    return []


def _crash(fault: Fault, hit: dict[str, Any], end: float) -> list[Span]:
    component, at = str(hit["component"]), float(hit["time"])
    return [
        Span(fault.id, component, frozenset({"end"}), at - BEFORE_S, at + AFTER_S),
        Span(fault.id, component, frozenset({"start"}), at - BEFORE_S, end),
    ]
