"""Does every component run and do its work? Judged from outside, whatever a service reports about itself."""

import asyncio
import time
from contextlib import suppress

from labkit.checking import invariants
from labkit.checking.checks import NotJudged
from labkit.checking.trial import Trial
from labkit.faults import specify
from labkit.stack import runtimes
from labkit.stack.model import Stack
from labkit.stack.status import NOT_READY, STARTING, facts

READY_S, LOOK_S = 10.0, 0.1


async def not_ready(stack: Stack) -> list[tuple[str, str, str]]:
    """Return (name, state, how it ended) of each component that is not up and ready. Components that are starting get up to 10 s."""
    deadline = time.monotonic() + READY_S
    while True:
        found = await asyncio.to_thread(_not_ready, stack)
        if not any(state in (STARTING, NOT_READY) for _, state, _ in found) or time.monotonic() > deadline:
            return found
        await asyncio.sleep(LOOK_S)


def _not_ready(stack: Stack) -> list[tuple[str, str, str]]:
    runtime = runtimes.of_stack(stack)
    components = [c for c in facts(stack)["components"] if c["state"] != "running" and c["name"] != "supervisor"]
    return [(c["name"], c["state"], "" if c["pid"] else _end(runtime.last_end(c["name"], 0.0))) for c in components]


def _end(end: object) -> str:
    return "ended, and nobody saw how" if end is None else f"ended {end}"


async def takes_no_messages(trial: Trial, channel: str) -> list[str]:
    """Publish a message of an unknown type, which every subscriber must skip. Return the subscribers of the channel that do not take it.
    Raises NotJudged if something else was at fault, and Failed with the cause if the stores show one."""
    order = specify.poison(trial.stack, channel, key=str(trial.dice.random.randrange(10**6)), unknown_type=True)
    planted = await trial.faults.apply(order)
    waiting = list(trial.faults.current(planted).facts.get("not_taken_by", []))
    if waiting:
        nobody = trial.unknown_customer()
        evidence = await trial.evidence()
        taken = {hit["component"] for hit in trial.faults.hits(planted, "taken")}
        waiting = [name for name in waiting if name not in taken]
        if waiting:
            with suppress(NotJudged):
                evidence.require(invariants.I3, about=[nobody])
    return waiting
