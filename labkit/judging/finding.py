"""Something that decides a verdict and is no invariant's violation."""

from dataclasses import dataclass

from labkit.explanation import Explanation, Fact


@dataclass(frozen=True)
class Finding:
    """`kind`: parked, ended, stuck, loop (failures); disturbed, moving, unread (unknown). `orders`: those that it is about."""

    kind: str
    is_failure: bool
    title: str
    sentence: str
    because: tuple[Fact, ...] = ()
    so: str = ""
    next_step: str = "labkit status"
    count: int = 1
    orders: tuple[int, ...] = ()
    traceback: tuple[str, ...] = ()

    @property
    def explanation(self) -> Explanation:
        return Explanation(self.sentence, because=self.because, so=self.so, next_step=self.next_step, traceback=self.traceback)
