"""Shrinking what fails to a part that still fails: delta debugging, https://doi.org/10.1109/32.988498."""

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

T = TypeVar("T")


def shrink(whole: Sequence[T], fails: Callable[[Sequence[T]], bool], *, tries: int) -> list[T]:
    """Return the smallest part found that still fails within `tries` tries; empty if nothing at all fails. `fails` plays a part."""
    parts = reductions(whole, tries=tries)
    answer: bool | None = None
    while True:
        try:
            answer = fails(parts.send(answer))
        except StopIteration as end:
            found: list[T] = end.value
            return found


def reductions(whole: Sequence[T], *, tries: int) -> Generator[list[T], bool | None, list[T]]:
    """Yield parts to try. `send` whether the last part failed; the return value is the smallest one that did."""
    current, parts = list(whole), 2
    if tries < 1:
        return current
    if (yield []):
        return []
    tried = 1
    while len(current) > 1:
        size = -(-len(current) // parts)
        chunks = [current[i : i + size] for i in range(0, len(current), size)]
        # first each part alone, then everything except one part
        candidates = [
            *chunks,
            *([one for one in current if not any(one is other for other in chunk)] for chunk in chunks if len(chunks) > 2),
        ]
        for candidate in candidates:
            if tried == tries:
                return current
            tried += 1
            if (yield candidate):
                current, parts = candidate, 2 if len(candidate) <= size else max(2, parts - 1)
                break
        else:
            if size == 1:
                return current
            parts = min(len(current), parts * 2)
    return current
