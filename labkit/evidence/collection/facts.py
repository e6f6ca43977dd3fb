"""Facts about the run: what was collected, when, and how the wait for stillness ended."""

import json
import time
import uuid

from labkit import __version__
from labkit.evidence import database, environment
from labkit.evidence.collection.model import Collection
from labkit.evidence.quiescence import movement
from labkit.evidence.quiescence.model import State, Stillness

STILLNESS = {
    State.SETTLED: "settled",
    State.PENDING: "still",
    State.BLOCKED: "stuck",
    State.REPEATING: "repeating",
    State.MOVING: "moving",
    State.UNREAD: "unread",
}


def insert(collection: Collection, stillness: Stillness | None, started: float) -> None:
    """Insert the facts into the evidence. `started` is in epoch seconds."""
    stack, scenario, mark = collection.stack, collection.scenario, collection.mark
    known: dict[str, str | None] = {
        "run": uuid.uuid4().hex,
        "stack": stack.name,
        "runtime": stack.runtime,
        "labkit": __version__,
        "seed": None if scenario.seed is None else str(scenario.seed),
        "started": environment.utc(started).isoformat(),
        "ended": environment.utc(time.time()).isoformat(),
        "mark": json.dumps({"time": mark.time, "binlog": str(mark.binlog)}) if mark else None,
        "snapshot": str(collection.snapshot) if collection.snapshot else None,
        "down": " ".join(name for name in stack.services if not collection.watcher.runtime.runs(name)) or None,
    }
    if stillness is not None:
        moving = stillness.state is State.MOVING
        known |= {
            "stillness": STILLNESS[stillness.state],
            "stillness_seconds": f"{stillness.waited_s:.2f}",
            "stillness_detail": stillness.outstanding[0].detail if stillness.outstanding else None,
            "stillness_rate": movement.rate(collection.watcher.samples) if moving else None,
            "stillness_writer": movement.writer(stack) if moving else None,
            "pending": json.dumps(list(stillness.pending)),
        }
    for name, value in known.items():
        if value is not None:
            database.set_fact(collection.connection, name, value)
