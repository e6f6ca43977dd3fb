"""Gates: a subscriber waits before a message, with no transaction open, until the gate is opened. Also delays of a subscriber, and
watches, which only note that a message came."""

import asyncio
from collections.abc import Callable

from services.messaging.control import About, armed
from services.messaging.failpoint import LOOK_S, write_hit

_taken: set[tuple[str | None, str]] = set()


async def before(about: About, is_stopping: Callable[[], bool]) -> bool:
    """Come up to a message. Returns when it may be taken; False when stopped meanwhile."""
    for fault in armed.holding:
        if not fault.matches(about):
            continue
        hit, attempt = armed.hits.attempt(fault.id, about.identity)
        if fault.kind == "gate":
            write_hit(fault, "held", about, sync=True, hit=hit, attempt=attempt)
            while armed.has(fault) and not (fault.release_after and (about.subscriber, fault.release_after) in _taken):
                if is_stopping():
                    return False
                await asyncio.sleep(LOOK_S)
            write_hit(fault, "released", about, sync=False)
        elif fault.kind == "delay":
            write_hit(fault, "delayed", about, sync=True, hit=hit, attempt=attempt)
            deadline = asyncio.get_running_loop().time() + fault.delay_s
            while armed.has(fault) and asyncio.get_running_loop().time() < deadline:
                if is_stopping():
                    return False
                await asyncio.sleep(min(LOOK_S, fault.delay_s))
    return True


def after(about: About) -> None:
    """The message was taken (or parked)."""
    waited_for = False
    for fault in armed.holding:
        waited_for = waited_for or (fault.release_after is not None and fault.release_after == about.message_id)
        if fault.kind == "watch" and fault.matches(about):
            hit, attempt = armed.hits.attempt(fault.id, about.identity)
            write_hit(fault, "taken", about, sync=True, hit=hit, attempt=attempt)
    if waited_for and about.message_id is not None:
        _taken.add((about.subscriber, about.message_id))
