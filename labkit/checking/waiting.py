"""Waiting for a condition, with a time limit. The error says what was awaited and what was seen instead."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from labkit.checking.checks import NotJudged

T = TypeVar("T")
WITHIN_S = 10.0
LOOK_S = 0.02


async def until(what: str, look: Callable[[], Awaitable[T]], is_enough: Callable[[T], bool], *, within_s: float = WITHIN_S) -> T:
    """Poll until `is_enough` accepts the value, and return it. Raises NotJudged with what was awaited and the last value seen."""
    deadline = time.monotonic() + within_s
    while True:
        seen = await look()
        if is_enough(seen):
            return seen
        if time.monotonic() > deadline:
            raise NotJudged(f"Waited {within_s:g} s until {what}; last seen: {seen!r}.", next_step="labkit status")
        await asyncio.sleep(LOOK_S)
