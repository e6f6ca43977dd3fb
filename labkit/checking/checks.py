"""The API for writing checks; schedule.py runs them.

A check is a coroutine with an id and a title, and takes a Trial (see trial.py). It returns if all is well, raises Failed with a description
of the problem in business terms, or raises NotJudged if it could not tell.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Self

from labkit.explanation import Explanation, Fact
from labkit.pass_fail_unknown import Verdict


class _Explained(Exception):
    """An exception that carries the explanation of what a check found."""

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
    """The machine or the stack was at fault, so the code cannot be judged."""


CheckFunction = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True)
class Check:
    id: str
    title: str
    run: CheckFunction
    is_gate: bool
    """If it does not pass, the other checks have nothing to judge."""
    is_alone: bool
    """It injects faults, so no other check acts at the same time. It heals its faults before it asks for evidence."""


@dataclass(frozen=True)
class CheckResult:
    check: Check
    verdict: Verdict
    seconds: float
    explanation: Explanation | None = None
    """The reason if the check did not pass."""

    @property
    def sentence(self) -> str:
        return self.explanation.sentence if self.explanation else ""

    @property
    def words(self) -> str:
        """The whole explanation."""
        return self.explanation.words if self.explanation else ""


def check(check_id: str, title: str, *, gate: bool = False, alone: bool = False) -> Callable[[CheckFunction], CheckFunction]:
    """Make a coroutine a check of its lab. `gate` and `alone` set the fields is_gate and is_alone of Check."""

    def mark(function: CheckFunction) -> CheckFunction:
        function.__dict__["check"] = Check(check_id, title, function, gate, alone)
        return function

    return mark


def checks_of(module: ModuleType) -> list[Check]:
    return [value.__dict__["check"] for value in vars(module).values() if isinstance(getattr(value, "check", None), Check)]
