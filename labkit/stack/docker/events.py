"""What the engine remembers of the containers: when each started, was paused, and ended."""

import time
from typing import Any

from labkit.stack import event_log
from labkit.stack.docker import notation, status
from labkit.stack.docker.containers import COMPONENT, PROJECT, Container, Containers

NAMES = {"start": "start", "die": "end", "pause": "pause", "unpause": "unpause", "oom": "oom"}  # the engine's words, and labkit's
SEARCHED_S = 86400.0  # how long before a process's end its start is searched for


def since(containers: Containers, begin: float) -> list[dict[str, Any]]:
    """Return the events that the engine remembers (the last 256 of all its containers), and those that labkit announced in its file."""
    filters = {"label": [f"{PROJECT}={containers.project}"], "type": ["container"], "event": list(NAMES)}
    found = containers.sdk.events(since=f"{begin:.3f}", until=f"{time.time():.3f}", filters=filters, decode=True)
    announced = [event for event in event_log.read(containers.directory) if event["time"] >= begin]
    return sorted([*announced, *map(_translated, found)], key=lambda event: float(event["time"]))


def _translated(event: dict[str, Any]) -> dict[str, Any]:
    """Return one of the engine's events in labkit's form."""
    attributes = event["Actor"]["Attributes"]
    found = {"time": event["timeNano"] / 1e9, "event": NAMES[event["Action"]], "component": attributes[COMPONENT]}
    if "exitCode" in attributes:
        found |= dict(zip(("exit_code", "signal"), notation.code_and_signal(int(attributes["exitCode"])), strict=True))
    return found


def why_missing(containers: Containers, begin: float) -> str | None:
    """Detect lost events: a container was started since then, and the engine has no event of that start."""
    started = {event["component"] for event in since(containers, begin) if event["event"] == "start"}
    for name, container in containers.listed().items():
        if name not in started and _started_at(containers, container) > begin + status.CLOCKS_APART_S:
            return f"{name} was started again, and the engine does not remember what happened before"
    return None


def _started_at(containers: Containers, container: Container) -> float:
    return notation.epoch(containers.inspect(container["Id"])["State"]["StartedAt"])


def start_of(containers: Containers, container: Container, ended: float | None) -> float | None:
    """Return when the container's last process (or the process that ended at `ended`) was started, or None when that is unknown."""
    name = container["Labels"][COMPONENT]
    last = max(_started_at(containers, container), status.began_again(containers, name))
    if ended is None or last <= ended:
        return last
    starts = [e["time"] for e in since(containers, ended - SEARCHED_S) if e["event"] == "start" and e["component"] == name]
    return next((began for began in reversed(starts) if began <= ended), None)
