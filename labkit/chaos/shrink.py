"""Shrinking a failing schedule to a shorter one that still fails: delta debugging, https://doi.org/10.1109/32.988498."""

from collections.abc import Callable, Sequence

from labkit.chaos.schedule import ChaosEvent

Fails = Callable[[Sequence[ChaosEvent]], bool]


def shrink(events: Sequence[ChaosEvent], fails: Fails, *, tries: int) -> list[ChaosEvent]:
    """Return the smallest set of events found that still fails within `tries` tries; empty if the load fails without any. `fails` plays
    a set of events."""
    current, parts = list(events), 2
    if tries > 0 and fails([]):
        return []
    tried = 1
    while len(current) > 1:
        size = -(-len(current) // parts)
        chunks = [current[i : i + size] for i in range(0, len(current), size)]
        # first each part alone, then everything except one part
        candidates = [*chunks, *([event for event in current if event not in chunk] for chunk in chunks if len(chunks) > 2)]
        for candidate in candidates:
            if tried == tries:
                return current
            tried += 1
            if fails(candidate):
                current, parts = candidate, 2 if len(candidate) <= size else max(2, parts - 1)
                break
        else:
            if size == 1:
                return current
            parts = min(len(current), parts * 2)
    return current
