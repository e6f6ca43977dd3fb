"""Wait until the stack is still, or until it is clear that it will not be."""

import time
from collections.abc import Callable

from labkit.evidence.quiescence import pending_orders
from labkit.evidence.quiescence.connections import StoreSilent
from labkit.evidence.quiescence.model import Outstanding, Sample, State, Stillness
from labkit.evidence.quiescence.pending_orders import PendingOrders
from labkit.evidence.quiescence.watcher import Watcher

APART_S = 0.25  # between the two samples that establish stillness
PENDING_FOR_S = 1.0  # stillness after which a PENDING order counts as final
BLOCKED_FOR_S = 10.0  # without movement while something is outstanding
MOVING_FOR_S = 60.0  # of movement
UNREAD_FOR_S = 3.0  # without an answer from a store
REPEATS, SOME = 10, 100  # records for each waiting row, and records in excess of the waiting rows, that count as a repetition
SLOW_REPEATS, SLOW_FOR_S = 3, 15.0  # so do fewer records for each row, if the same rows have been waiting for so long
PAUSE_S = 0.05  # between two samples
LONGEST_STEP_S = 1.0  # time between two samples that counts at most


def wait(
    watcher: Watcher,
    orders: PendingOrders = pending_orders.of_all_customers,
    *,
    expected: Callable[[int], bool] = lambda order: False,
    tell: Callable[[Sample, float], None] = lambda sample, waited_s: None,
    moving_for_s: float = MOVING_FOR_S,
    blocked_for_s: float = BLOCKED_FOR_S,
) -> Stillness:
    """Take samples until one of the States is reached.

    `orders` finds the orders of interest that are PENDING, and `expected` says which of them may stay so. `tell` receives each sample and
    the seconds waited so far.
    """
    seen = _Seen()
    while True:
        sample = watcher.sample()
        seen.add(sample)
        tell(sample, seen.waited_s)
        state: State | None = None
        pending: list[int] = []
        if seen.repeats(sample):
            state = State.REPEATING
        elif seen.unread_for_s >= UNREAD_FOR_S:
            state = State.UNREAD
        elif seen.still_for_s >= APART_S:
            try:
                pending = [order for order in watcher.pending(orders) if not expected(order)]
                state = State.SETTLED if not pending else State.PENDING if seen.still_for_s >= PENDING_FOR_S else None
            except StoreSilent as error:
                if error.rejected:
                    unreadable = Outstanding("unreadable", error.component, str(error))
                    return Stillness(State.UNREAD, seen.waited_s, (*sample.outstanding, unreadable), (), seen.moved_last)
                # otherwise try again after the next sample
        elif sample.readable and sample.outstanding and seen.blocked_for_s >= blocked_for_s:
            state = State.BLOCKED
        if state is None and seen.waited_s >= moving_for_s:
            state = State.MOVING
        if state is not None:
            return Stillness(state, seen.waited_s, sample.outstanding, tuple(pending), seen.moved_last)
        time.sleep(PAUSE_S)


class _Seen:
    """How long the samples have looked as they do now. Time in which labkit itself did not run or sample does not count."""

    def __init__(self) -> None:
        self.waited_s = 0.0
        self.moved_last: float | None = None
        self._before: Sample | None = None
        self._unmoved_since_s = 0.0
        self._still_since_s: float | None = None
        self._unread_since_s: float | None = None
        self._work_since_s: dict[tuple[str, str], float] = {}  # a service's own short query is gone in the next sample
        self._unpublished: Sample | None = None  # the first sample with the same unpublished rows
        self._unpublished_since_s = 0.0

    def add(self, sample: Sample) -> None:
        before, self._before = self._before, sample
        if before is not None:
            self.waited_s += min(sample.monotonic_s - before.monotonic_s, LONGEST_STEP_S)
        now_s = self.waited_s
        if before is None or sample.positions != before.positions:
            self.moved_last = None if before is None else sample.started
            self._unmoved_since_s, self._still_since_s = now_s, None
        if sample.outstanding:
            self._still_since_s = None
        elif self._still_since_s is None:
            self._still_since_s = now_s
        if sample.readable:
            self._unread_since_s = None
        elif self._unread_since_s is None:
            self._unread_since_s = now_s
        work = {(o.condition, o.subject) for o in sample.outstanding}
        self._work_since_s = {each: self._work_since_s.get(each, now_s) for each in work}
        first = self._unpublished
        if first is None or not first.readable or sample.unpublished != first.unpublished:
            self._unpublished, self._unpublished_since_s = sample, now_s

    @property
    def still_for_s(self) -> float:
        """How long nothing has moved and nothing was outstanding."""
        return 0.0 if self._still_since_s is None else self.waited_s - self._still_since_s

    @property
    def unread_for_s(self) -> float:
        """How long a store has not answered."""
        return 0.0 if self._unread_since_s is None else self.waited_s - self._unread_since_s

    @property
    def blocked_for_s(self) -> float:
        """How long nothing has moved while a piece of work was outstanding. Something must be outstanding."""
        return self.waited_s - max(self._unmoved_since_s, min(self._work_since_s.values()))

    def repeats(self, sample: Sample) -> bool:
        """Whether the same rows are published repeatedly: the broker received far more records than rows wait."""
        first = self._unpublished
        if first is None or not sample.readable:
            return False
        rows = sum(unpublished.rows for unpublished in first.unpublished)
        more = sum(of.added - first.bounds[place].added for place, of in sample.bounds.items() if place in first.bounds)
        waits_long = self.waited_s - self._unpublished_since_s >= SLOW_FOR_S
        return rows > 0 and (more > REPEATS * rows + SOME or (waits_long and more >= SLOW_REPEATS * rows))
