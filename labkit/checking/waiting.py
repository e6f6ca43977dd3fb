"""Waiting for a condition, with a time limit. The error says what was awaited and what was seen instead."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from labkit.checking.checks import NotJudged

T = TypeVar("T")
WITHIN_S = 10.0
LOOK_S, LONGEST_S = 0.02, 0.1


async def pause(began: float) -> None:
    """Wait until the next look at the stack: 20 ms at first, and up to 100 ms in a wait that has lasted longer. `began` is its
    time.monotonic(). Each look takes processor time from the services that are waited for."""
    await asyncio.sleep(min(LONGEST_S, LOOK_S + (time.monotonic() - began) / 20))


async def until(what: str, look: Callable[[], Awaitable[T]], is_enough: Callable[[T], bool], *, within_s: float = WITHIN_S) -> T:
    """Poll until `is_enough` accepts the value, and return it. Raises NotJudged with what was awaited and the last value seen."""
    seen = await last_seen(look, is_enough, within_s=within_s)
    if not is_enough(seen):
        raise NotJudged(f"Waited {within_s:g} s until {what}; last seen: {seen!r}.", next_step="labkit status")
    return seen


async def last_seen(look: Callable[[], Awaitable[T]], is_enough: Callable[[T], bool], *, within_s: float) -> T:
    """Poll until `is_enough` accepts the value or time is up. Return the last value seen."""
    began = time.monotonic()
    while not is_enough(seen := await look()) and time.monotonic() <= began + within_s:
        await pause(began)
    return seen
