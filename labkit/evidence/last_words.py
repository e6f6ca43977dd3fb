"""The last exception that each component logged. It is for people; no verdict depends on it."""

from collections.abc import Collection, Sequence
from typing import Any

from labkit.evidence.environment import Event, utc
from labkit.stack import complaints
from labkit.stack.runtime import Runtime

CLOCKS_APART_S = 1.0
ENDS = 5  # ends of one component that are reported, the latest ones


def rows(runtime: Runtime, components: Collection[str], since: float, events: Sequence[Event] = ()) -> list[dict[str, Any]]:
    """Return rows of the evidence: the last complaint of each component's current or latest process since `since` (epoch seconds).

    Each process that ended by one of `events` has a row too. A process that logged no complaint has none.
    """
    found = []
    for name in components:
        ends = [e.happened for e in events if e.component == name and e.event == "end" and not e.by_labkit][-ENDS:]
        processes: list[float | None] = [*ends, *([] if ends and not runtime.runs(name) else [None])]
        for ended in processes:
            words = complaints.complaint(runtime.process_log(name, complaints.LINES, ended) or [])
            if words is not None and (words.at is None or words.at >= since - CLOCKS_APART_S):
                about = {"component": name, "said": words.at and utc(words.at), "ended": ended and utc(ended)}
                found.append({**about, "message_id": words.message_id, "text": words.text})
    return found
