"""A fact that decides a verdict without violating an invariant."""

from dataclasses import dataclass

from labkit.explanation import Explanation

TRACEBACK_LINES = 12


@dataclass(frozen=True, kw_only=True)
class Finding(Explanation):
    """A fact that decides a verdict without violating an invariant.

    `kind`: parked, ended, stuck, loop or repeating for a failure; disturbed, moving or unread for unknown. `orders`: the orders concerned.
    """

    kind: str
    is_failure: bool
    title: str
    count: int = 1
    orders: tuple[int, ...] = ()


def traceback_of(text: str | None) -> tuple[str, ...]:
    """Return the last lines of a traceback or of a log, as a finding shows them."""
    return tuple(text.strip().splitlines()[-TRACEBACK_LINES:]) if text else ()
