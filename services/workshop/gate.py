"""Gates: a subscriber waits before a message, without an open transaction, until the gate is opened. Also delays of a subscriber, and
watches, which only record that a message was processed."""

import asyncio
from collections.abc import Callable

from services.workshop.armed import armed
from services.workshop.failpoint import LOOK_S, write_hit
from services.workshop.fault import About, Fault

_taken: set[tuple[str | None, str]] = set()


async def before(about: About, is_stopping: Callable[[], bool]) -> bool:
    """Wait at the gates for a message. Returns True when it may be processed, False when stopped meanwhile."""
    passed: set[str] = set()
    while fault := next((f for f in armed.holding if f.id not in passed and f.matches(about)), None):
        passed.add(fault.id)
        if fault.kind != "watch" and not await _wait(fault, about, is_stopping):
            return False
    return True


async def _wait(fault: Fault, about: About, is_stopping: Callable[[], bool]) -> bool:
    hit, attempt = armed.hits.attempt(fault.id, about.identity)
    write_hit(fault, "held" if fault.kind == "gate" else "delayed", about, sync=True, hit=hit, attempt=attempt)
    deadline = asyncio.get_running_loop().time() + fault.delay_s if fault.kind == "delay" else float("inf")
    while armed.has(fault) and not (fault.release_after and (about.subscriber, fault.release_after) in _taken):
        left = deadline - asyncio.get_running_loop().time()
        if is_stopping() or left <= 0:
            break
        await asyncio.sleep(min(LOOK_S, left))
    if fault.kind == "gate" and not is_stopping():
        write_hit(fault, "released", about, sync=False)
    return not is_stopping()


def after(about: About) -> None:
    """Record that the message was processed or parked."""
    waited_for = False
    for fault in armed.holding:
        waited_for = waited_for or (fault.release_after is not None and fault.release_after == about.message_id)
        if fault.kind == "watch" and fault.matches(about):
            hit, attempt = armed.hits.attempt(fault.id, about.identity)
            write_hit(fault, "taken", about, sync=True, hit=hit, attempt=attempt)
    if waited_for and about.message_id is not None:
        _taken.add((about.subscriber, about.message_id))
