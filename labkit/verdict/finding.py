"""Something that decides a verdict and is no invariant's violation."""

from dataclasses import dataclass

from labkit.explanation import Explanation


@dataclass(frozen=True, kw_only=True)
class Finding(Explanation):
    """`kind`: parked, ended, stuck, loop, repeating (failures); disturbed, moving, unread (unknown). `orders`: those that it is about."""

    kind: str
    is_failure: bool
    title: str
    count: int = 1
    orders: tuple[int, ...] = ()
