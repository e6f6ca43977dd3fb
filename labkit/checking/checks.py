"""The API that checks are written against; schedule.py runs them.

A check is a coroutine with an id and a title that is given a Trial (see trial.py). It returns when all is well, raises Failed with what is
wrong in the words of the business, or raises NotJudged when it could not look.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Self

from labkit.explanation import Explanation, Fact
from labkit.verdicts import Verdict


class _Explained(Exception):
    """Carries the explanation of what a check found."""

    def __init__(
        self, sentence: str, next_step: str, *, expected: str = "", found: str = "", because: Sequence[Fact] = (), so: str = ""
    ) -> None:
        super().__init__(sentence)
        self.explanation = Explanation(sentence, expected, found, tuple(because), so, next_step)

    @classmethod
    def of(cls, explanation: Explanation) -> Self:
        made = cls(explanation.sentence, explanation.next_step)
        made.explanation = explanation
        return made


class Failed(_Explained):
    """The code under study is wrong."""


class NotJudged(_Explained):
    """The machine or the stack stood in the way: nothing can be said about the code."""


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
    explanation: Explanation | None = None
    """Of a check that did not pass."""

    @property
    def sentence(self) -> str:
        return self.explanation.sentence if self.explanation else ""


def check(check_id: str, title: str, *, gate: bool = False, alone: bool = False) -> Callable[[CheckFunction], CheckFunction]:
    """Make a coroutine a check of its lab. See Check for `gate` and `alone`."""

    def mark(function: CheckFunction) -> CheckFunction:
        function.__dict__["check"] = Check(check_id, title, function, gate, alone)
        return function

    return mark


def checks_of(module: ModuleType) -> list[Check]:
    return [value.__dict__["check"] for value in vars(module).values() if isinstance(getattr(value, "check", None), Check)]
