"""Which services call another one. Nobody but the gateway may: a service that calls another while it answers has to wait for it."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

from labkit.stack import runtimes
from labkit.stack.model import Stack

T = TypeVar("T")
LOOK_S = 0.02
ENTRY = "gateway"


async def callers_during(stack: Stack, callee: str, work: Awaitable[T]) -> tuple[T, set[str]]:
    """Do the work. Return its result, and the services that had a connection to `callee` meanwhile. Pause `callee` before: then each
    connection stays until its caller gives up. Where the processes' connections cannot be seen (Docker), there are none."""
    doing = asyncio.ensure_future(work)
    found: set[str] = set()
    while not doing.done():
        found |= await asyncio.to_thread(_callers, stack, callee)
        await asyncio.wait([doing], timeout=LOOK_S)
    return await doing, found | await asyncio.to_thread(_callers, stack, callee)


def _callers(stack: Stack, callee: str) -> set[str]:
    import psutil

    port, runtime, found = stack[callee].endpoint.port, runtimes.of_stack(stack), set()
    states = runtime.status()
    for name in stack.services:
        pid = states[name].pid if name in states else None
        if name in (ENTRY, callee) or pid is None:
            continue
        with suppress(psutil.Error, OSError):
            if any(c.raddr and c.raddr.port == port for c in psutil.Process(pid).net_connections("tcp")):
                found.add(name)
    return found
