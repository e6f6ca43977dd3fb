"""Ending background tasks."""

import asyncio
from collections.abc import Sequence

from services.messaging.log import describe, log


async def finished(tasks: Sequence[asyncio.Task[None]], timeout_s: float = 2.0) -> None:
    """Wait for tasks that were told to stop; what does not stop in time is cancelled. Their errors are logged."""
    _, late = await asyncio.wait(tasks, timeout=timeout_s)
    for task in late:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            log("ended with an error", error=describe(result))
