"""Read all stores at one moment: wait until the stack is still, read, and check that nothing moved meanwhile."""

import time

from labkit.evidence import database
from labkit.evidence.collection import end_state
from labkit.evidence.collection.model import Collection
from labkit.evidence.quiescence import movement, pending_orders
from labkit.evidence.quiescence.model import Sample, State, Stillness
from labkit.evidence.quiescence.wait import PAUSE_S, UNREAD_FOR_S, wait
from labkit.evidence.quiescence.watcher import Watcher

TRIES = 3  # attempts to collect a moment at which nothing moves
AT_REST = (State.SETTLED, State.PENDING)
HOPELESS = (State.REPEATING, State.MOVING, State.UNREAD)


def read(collection: Collection, moving_for_s: float, blocked_for_s: float) -> Stillness:
    """Wait, read the end state and take another sample. Repeat if anything moved in the meantime."""
    scenario, watcher = collection.scenario, collection.watcher
    orders = pending_orders.of_customers(scenario.customers) if scenario.customers else pending_orders.of_all_customers
    expected = frozenset(scenario.expected_pending)

    def tell(sample: Sample, waited_s: float) -> None:
        if sample.outstanding:
            collection.tell(f"waiting, {waited_s:.0f} s: {sample.outstanding[0].detail}")

    stillness, moved = None, ""
    for _ in range(TRIES):
        if stillness is None or stillness.state in AT_REST:
            stillness = wait(
                watcher, orders, expected=expected.__contains__, tell=tell, moving_for_s=moving_for_s, blocked_for_s=blocked_for_s
            )
        before = watcher.samples[-1]
        end_state.read(collection)
        after = watcher.sample() if stillness.state is State.UNREAD else _readable(watcher)
        moved = movement.describe(before, after, collection.stack.profile)
        if not moved and after.outstanding and after.readable and stillness.state in AT_REST:
            moved = after.outstanding[0].detail
        if not moved or stillness.state in HOPELESS:
            break
    assert stillness is not None
    _note_moment(collection, moved, after)
    return stillness


def _readable(watcher: Watcher) -> Sample:
    """Take a sample. Take another while a store does not answer: a single missing answer proves nothing."""
    deadline = time.monotonic() + UNREAD_FOR_S
    while not (sample := watcher.sample()).readable and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
    return sample


def _note_moment(collection: Collection, moved: str, after: Sample) -> None:
    """Record whether everything was read while nothing moved."""
    connection = collection.connection
    if moved:
        writer = movement.writer(collection.stack)
        if writer:
            database.set_fact(connection, "stillness_writer", writer)
        reason = f"the stores did not stand still while they were read: {moved}" + (f"; {writer} writes" if writer else "")
        database.set_complete(connection, "moment", reason)
    elif not after.readable:
        unread = next(o for o in after.outstanding if o.condition == "unreadable")
        database.set_complete(connection, "moment", unread.detail, unread.subject)
    else:
        database.set_complete(connection, "moment")
