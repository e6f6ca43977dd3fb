"""Waiting within an event loop."""

import asyncio
import time
from collections.abc import Callable


async def until(condition: Callable[[], object], what: str, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {within_s:.0f} s until {what}"
        await asyncio.sleep(0.002)
