"""Does every component run, and do its work? As seen from outside, whatever a service says of itself."""

import asyncio
import time

from labkit.evidence.kafka_positions import Positions
from labkit.faults.targets import SUBSCRIPTIONS
from labkit.stack import runtimes
from labkit.stack.model import Stack

READY_S, LOOK_S = 10.0, 0.1


async def not_ready(stack: Stack) -> list[tuple[str, str, str]]:
    """(name, state, how it ended) of each component that is not up and ready; what has just been started gets a while for it."""
    deadline = time.monotonic() + READY_S
    while True:
        found = await asyncio.to_thread(_not_ready, stack)
        if not any(state == "starting" for _, state, _ in found) or time.monotonic() > deadline:
            return found
        await asyncio.sleep(LOOK_S)


def _not_ready(stack: Stack) -> list[tuple[str, str, str]]:
    from labkit.stack.facts import facts

    runtime = runtimes.of_stack(stack)
    components = [c for c in facts(stack)["components"] if c["state"] != "running" and c["name"] != "supervisor"]
    return [(c["name"], c["state"], "" if c["pid"] else _end(runtime.last_end(c["name"], 0.0))) for c in components]


def _end(end: object) -> str:
    return "ended, and nobody saw how" if end is None else f"ended {end}"


async def without_members(stack: Stack) -> list[tuple[str, str]]:
    """(component, group) of each subscriber whose group has no member: nobody takes its messages. Raises OSError."""
    return await asyncio.to_thread(_without_members, stack)


def _without_members(stack: Stack) -> list[tuple[str, str]]:
    with Positions(stack["kafka"].endpoint, timeout=5.0) as broker:
        members = {group.id: group.members for group in broker.groups([s.subscriber for s in SUBSCRIPTIONS])}
    return [(s.component, s.subscriber) for s in SUBSCRIPTIONS if not members.get(s.subscriber)]
