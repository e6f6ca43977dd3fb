"""What happened to the stack's processes: starts, ends, pauses, out-of-memory kills, and stalls of labkit itself.

All evidence that a runtime provides is requested here.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from labkit.faults.blame import Span, span_behind
from labkit.stack import complaints, event_log
from labkit.stack.model import Stack
from labkit.stack.runtime import DOCKER, NATIVE, Runtime

MILLISECOND = 1000  # microseconds
BEAT, STALL = 0.1, 1.0  # seconds: the interval between two looks at the clock, and the delay that counts as a stall
WATCHER = {NATIVE: "supervisor", DOCKER: "engine"}  # the observer of each runtime's processes
EVENTS = ("start", "end", "adopt", "pause", "unpause", "oom", "stall")


@dataclass(frozen=True)
class Event:
    """A process event. `happened` is in epoch seconds. `by_labkit` is None when the cause is unknown."""

    component: str
    event: str
    happened: float
    source: str
    pid: int | None = None
    exit_code: int | None = None
    signal: int | None = None
    by_labkit: bool | None = None
    detail: str | None = None

    def row(self) -> dict[str, Any]:
        """Return the event as a row of the evidence."""
        row = {name: getattr(self, name) for name in ("component", "event", "source", "pid", "exit_code", "signal", "by_labkit", "detail")}
        return {**row, "happened": utc(self.happened), "precision_us": MILLISECOND}


def utc(seconds: float) -> datetime:
    """Convert epoch seconds for DuckDB. A value outside the calendar becomes the epoch itself."""
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return datetime(1970, 1, 1)


def events(runtime: Runtime, since: float, faults: Sequence[Span] = ()) -> list[Event]:
    """Return the events since the mark, in order of time.

    An event counts as labkit's own if labkit announced it beforehand, or if one of `faults` caused it.
    """
    announced: set[str] = set()
    unspent = list(faults)  # each fault ends one process; a later end of the component is its own
    found = []
    for data in runtime.events(since):
        component, event = data["component"], data["event"]
        if event == event_log.STOP:
            announced.add(component)
            continue
        by_labkit = None
        if event == "end" and component in announced:
            announced.discard(component)
            by_labkit = True
        code, number = data.get("exit_code"), data.get("signal")
        by_labkit, detail = data.get("by_labkit", by_labkit), data.get("detail")
        span = span_behind(unspent, component, event, data["time"])
        if span is not None and event == "end":
            unspent.remove(span)
        if by_labkit is None and span is not None:
            by_labkit = True
        found.append(Event(component, event, data["time"], WATCHER[runtime.name], data.get("pid"), code, number, by_labkit, detail))
    return found


def with_ports(stack: Stack, runtime: Runtime, found: Sequence[Event]) -> list[Event]:
    """Return the same events, and name the process that held the port of each component that could not start.

    Such an end is a problem of the machine, not of the component's code.
    """
    return [replace(event, detail=taken) if (taken := _port_taken(stack, runtime, event)) else event for event in found]


def _port_taken(stack: Stack, runtime: Runtime, event: Event) -> str | None:
    by_itself = event.event == "end" and not event.by_labkit and event.signal is None and event.exit_code != 0
    if not by_itself or event.component not in stack.names:
        return None
    return complaints.port_taken(stack, runtime, event.component, event.happened)


@dataclass
class StallWatch:
    """Detects that labkit itself did not run for a while because it was suspended or starved of CPU time.

    Each stall is an event of the component `labkit`.
    """

    found: list[Event] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _before: float = 0.0

    def __enter__(self) -> "StallWatch":
        self._before = time.monotonic()
        threading.Thread(target=self._watch, name="stall-watch", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.look()

    def look(self) -> None:
        """Check for a stall now. Call it before using the results too: the watching thread may not have woken up yet."""
        with self._lock:
            now = time.monotonic()
            late = now - self._before - BEAT
            self._before = now
            if late > STALL:
                self.found.append(Event("labkit", "stall", time.time(), "labkit", by_labkit=False, detail=f"{late:.1f} s"))

    def _watch(self) -> None:
        while not self._ended.wait(BEAT):
            self.look()
