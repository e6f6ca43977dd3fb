"""What the supervisor recorded about a stack's processes: when each started and how it ended."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit.stack import event_log, processes
from labkit.stack.model import SUPERVISOR
from labkit.stack.runtime import End

LATEST = 200  # events of all components that are searched for a component's last end
START_EVENTS = 5000  # events of all components that are searched for a component's last start
PRECISION_S = 0.001  # events have millisecond precision


def since(directory: Path, begin: float) -> list[dict[str, Any]]:
    """Return the events in the order of the file. All events after the first one that is recent enough count, even if the clock was set
    back.
    """
    events = event_log.read(directory)
    first = next((place for place, event in enumerate(events) if event["time"] >= begin), len(events))
    return events[first:]


def _latest(directory: Path, component: str, count: int = LATEST) -> Iterator[dict[str, Any]]:
    """Yield the component's events among the last `count` events of all components, latest first."""
    return (event for event in reversed(event_log.read(directory, count)) if event["component"] == component)


def last_end(directory: Path, component: str, begin: float) -> End | None:
    for event in _latest(directory, component):
        if event["event"] == "end" and event["time"] >= begin:
            return End(event["time"], event.get("exit_code"), event.get("signal"))
    return None


def start_failed(directory: Path, component: str, begin: float) -> End | None:
    starts = (event["time"] for event in _latest(directory, component) if event["event"] == "start")
    last = next(starts, 0.0)
    return last_end(directory, component, last) if last >= begin - PRECISION_S else None


def stop_was_announced(directory: Path, component: str) -> bool:
    """Whether labkit ended the component. It may have used force because the component took too long."""
    return next((event["event"] for event in _latest(directory, component) if event["event"] != "end"), None) == event_log.STOP


def why_missing(directory: Path, begin: float) -> str | None:
    watched = False
    for event in event_log.read(directory):
        if event["component"] == SUPERVISOR:
            if event["event"] == "start" and watched and event["time"] >= begin:
                return "the supervisor was killed, and nobody saw what happened to the components until it was started again"
            watched = event["event"] == "start"
    if watched and not processes.running(directory, SUPERVISOR):
        return "the supervisor was killed, and nobody sees what happens to the components"
    return None


def log_range(directory: Path, component: str, ended: float | None) -> tuple[int, int | None] | None:
    """Return where in the component's log its last process (or the process that ended at `ended`) wrote: first byte, and end if later
    processes wrote after it. Returns None when that is unknown.
    """
    end: int | None = None
    for event in _latest(directory, component, START_EVENTS):
        if event["event"] != "start":
            continue
        begin = event.get("log_from")
        if not isinstance(begin, int) or begin < 0:
            return None
        if ended is None or event["time"] <= ended + PRECISION_S:
            return begin, end
        end = begin
    return None  # no start was recorded
