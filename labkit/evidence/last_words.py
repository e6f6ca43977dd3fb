"""What a component's last process wrote last about what went wrong: for people, decides no verdict."""

from collections.abc import Collection, Sequence
from typing import Any

from labkit.evidence.environment import Event, utc
from labkit.stack import complaints
from labkit.stack.runtime import Runtime

CLOCKS_APART_S = 1.0
ENDS = 5  # of one component, the last ones


def rows(runtime: Runtime, components: Collection[str], since: float, events: Sequence[Event] = ()) -> list[dict[str, Any]]:
    """For the evidence: what the process that runs or ran last has complained of since then (epoch seconds), and each that ended by one of
    these events; nothing of one that has not."""
    found = []
    for name in components:
        ends = [e.happened for e in events if e.component == name and e.event == "end" and not e.by_labkit][-ENDS:]
        processes: list[float | None] = [*ends, *([] if ends and not runtime.runs(name) else [None])]
        for ended in processes:
            words = complaints.complaint(runtime.said(name, complaints.LINES, ended) or [])
            if words is not None and (words.at is None or words.at >= since - CLOCKS_APART_S):
                about = {"component": name, "said": words.at and utc(words.at), "ended": ended and utc(ended)}
                found.append({**about, "message_id": words.message_id, "text": words.text})
    return found
