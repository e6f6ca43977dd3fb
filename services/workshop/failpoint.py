"""Failpoints: named places where an armed fault ends this process or makes it wait for another.

Outside a workshop nothing is armed, and passing a failpoint costs a dictionary lookup. Hit n counts first attempts only: a message that is
retried or redelivered was already counted at its first attempt.
"""

import asyncio
import os

from services.log import log
from services.workshop.armed import armed
from services.workshop.fault import NOTHING, About, Fault

EXIT_CODE = 137  # as after kill -9
LOOK_S = 0.01


async def failpoint(point: str, about: About = NOTHING) -> None:
    """Pass a named place. An armed crash ends the process at its hit; an armed barrier waits for the other parties."""
    faults = armed.points.get(point)
    if faults:
        for fault in faults:
            if fault.matches(about):
                await _reach(fault, about)


async def _reach(fault: Fault, about: About) -> None:
    hit, attempt = armed.hits.attempt(fault.id, about.identity)
    if fault.kind == "crash":
        if attempt == 1 and hit == fault.hit:
            write_hit(fault, "crash", about, sync=True, hit=hit, attempt=attempt)
            os._exit(EXIT_CODE)
        write_hit(fault, "passed", about, sync=False, hit=hit, attempt=attempt)
    elif fault.kind == "barrier":
        await _meet(fault, about, hit, attempt)


_meetings: dict[str, list[About]] = {}


async def _meet(fault: Fault, about: About, hit: int, attempt: int) -> None:
    """Continue when all parties have arrived, or at the time-out. The hit then records that they did not meet."""
    present = _meetings.setdefault(fault.id, [])
    present.append(about)
    write_hit(fault, "arrived", about, sync=True, hit=hit, attempt=attempt)
    if len(present) >= fault.parties:
        write_hit(fault, "met", about, sync=True, parties=[who.message_id for who in present])
        armed.spend(fault)
        return
    deadline = asyncio.get_running_loop().time() + fault.timeout_s
    while len(present) < fault.parties and armed.has(fault):
        if asyncio.get_running_loop().time() > deadline:
            write_hit(fault, "not met", about, sync=True, parties=[who.message_id for who in present], after_s=fault.timeout_s)
            log("barrier timed out", level="error", fault=fault.id, point=fault.point, waited_s=fault.timeout_s)
            armed.spend(fault)
            break
        await asyncio.sleep(LOOK_S)


def write_hit(fault: Fault, what: str, about: About, *, sync: bool, **details: object) -> None:
    where = {"point": fault.point or fault.route, "subscriber": about.subscriber, "channel": about.channel, "partition": about.partition}
    more = {"position": about.position, "message_id": about.message_id, "event_type": about.event_type or None, "key": about.key}
    known = {name: value for name, value in {**where, **more}.items() if value is not None}
    armed.hits.write(fault.id, fault.kind, what, sync=sync, **known, **details)
