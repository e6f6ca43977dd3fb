"""`events.jsonl` in a stack's directory: one event per line, `{"time", "event", "component", …}`. The supervisor and labkit write it."""

import json
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from labkit.stack import log_files

NAME = "events.jsonl"
STOP = "stop"  # labkit announces that it is about to end a component


def read(directory: Path, count: int | None = None) -> list[dict[str, Any]]:
    """Return the last `count` events, or all. Skips incomplete lines."""
    found = []
    for line in log_files.lines(directory / NAME, count):
        try:
            event = json.loads(line)
            found.append({**event, "component": str(event["component"]), "event": str(event["event"]), "time": float(event["time"])})
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
    return found


def announce(directory: Path, components: Collection[str]) -> None:
    """Record that labkit is about to end these components, so that their end does not count as an accident."""
    lines = [json.dumps({"time": round(time.time(), 3), "event": STOP, "component": name, "by": "labkit"}) for name in components]
    if lines:
        # If the disk is full, the components end anyway, and their end counts as an accident.
        with suppress(OSError), (directory / NAME).open("a", encoding="utf-8") as events:
            events.write("\n".join([*lines, ""]))
