"""The API that checks are written against; schedule.py runs them.

A check is a coroutine with an id and a title that is given a Trial (see trial.py). It returns when all is well, raises Failed with what is
wrong in the words of the business, or raises NotJudged when it could not look.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from labkit.verdicts import Verdict

if TYPE_CHECKING:
    from labkit.invariants.witness import Fact


class Failed(Exception):
    """The code under study is wrong: a sentence in business words, what was expected and found, the facts that show it with their source,
    the step that went wrong, and what to do next."""

    def __init__(
        self, sentence: str, *, expected: str = "", found: str = "", next_step: str, because: "Sequence[Fact]" = (), so: str = ""
    ) -> None:
        super().__init__(sentence)
        self.sentence, self.expected, self.found, self.next_step = sentence, expected, found, next_step
        self.because, self.so = tuple(because), so


class NotJudged(Exception):
    """The machine or the stack stood in the way: nothing can be said about the code."""

    def __init__(self, sentence: str, next_step: str) -> None:
        super().__init__(sentence)
        self.sentence, self.next_step = sentence, next_step


CheckFunction = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True)
class Check:
    id: str
    title: str
    run: CheckFunction
    is_gate: bool
    """When it does not pass, the others have nothing to judge."""
    is_alone: bool
    """It brings faults about: nobody else is at work meanwhile. It heals them before it asks for evidence."""


@dataclass(frozen=True)
class CheckResult:
    check: Check
    verdict: Verdict
    seconds: float
    sentence: str = ""
    expected: str = ""
    found: str = ""
    next_step: str = ""
    because: "tuple[Fact, ...]" = ()
    so: str = ""


def check(check_id: str, title: str, *, gate: bool = False, alone: bool = False) -> Callable[[CheckFunction], CheckFunction]:
    """Make a coroutine a check of its lab. See Check for `gate` and `alone`."""

    def mark(function: CheckFunction) -> CheckFunction:
        function.__dict__["check"] = Check(check_id, title, function, gate, alone)
        return function

    return mark


def checks_of(module: ModuleType) -> list[Check]:
    return [value.__dict__["check"] for value in vars(module).values() if isinstance(getattr(value, "check", None), Check)]
