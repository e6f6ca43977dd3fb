"""`events.jsonl` in a stack's directory: one event a line, `{"time", "event", "component", …}`, written by the supervisor and by labkit."""

import json
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from labkit.stack import log_files

NAME = "events.jsonl"
STOP = "stop"  # labkit says beforehand that it ends a component


def read(directory: Path, count: int | None = None) -> list[dict[str, Any]]:
    """The last `count`, or all; a line that is only half there is left out."""
    found = []
    for line in log_files.lines(directory / NAME, count):
        try:
            event = json.loads(line)
            found.append({**event, "component": str(event["component"]), "event": str(event["event"]), "time": float(event["time"])})
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
    return found


def announce(directory: Path, components: Collection[str]) -> None:
    """Write down that labkit ends these, so that nobody takes their end for an accident."""
    lines = [json.dumps({"time": round(time.time(), 3), "event": STOP, "component": name, "by": "labkit"}) for name in components]
    if lines:
        # on a disk that takes nothing more it ends all the same, and counts as an accident
        with suppress(OSError), (directory / NAME).open("a", encoding="utf-8") as events:
            events.write("\n".join([*lines, ""]))
