"""The API that checks are written against, and how they are run.

A check is a coroutine with an id and a title that is given a Trial (see trial.py). It returns when all is well, raises Failed with what is
wrong in the words of the business, or raises NotJudged when it could not look.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from types import ModuleType
from typing import TYPE_CHECKING, Any

from labkit.errors import UserError

if TYPE_CHECKING:
    from labkit.invariants.witness import Fact


class Verdict(Enum):
    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


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

    def __init__(self, sentence: str, *, next_step: str) -> None:
        super().__init__(sentence)
        self.sentence, self.next_step = sentence, next_step


Run = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True)
class Check:
    id: str
    title: str
    run: Run
    is_gate: bool
    """When it fails, the checks after it have nothing to judge."""


@dataclass(frozen=True)
class Outcome:
    check: Check
    verdict: Verdict
    seconds: float
    sentence: str = ""
    expected: str = ""
    found: str = ""
    next_step: str = ""
    because: "tuple[Fact, ...]" = ()
    so: str = ""


def check(check_id: str, title: str, *, gate: bool = False) -> Callable[[Run], Run]:
    """Make a coroutine a check of its lab."""

    def mark(function: Run) -> Run:
        function.__dict__["check"] = Check(check_id, title, function, gate)
        return function

    return mark


def checks_of(module: ModuleType) -> list[Check]:
    return [value.__dict__["check"] for value in vars(module).values() if isinstance(getattr(value, "check", None), Check)]


async def run_checks(
    checks: Iterable[Check], lab: Any, *, tell: Callable[[Outcome], None], begin: Callable[[Check], None] = lambda _: None
) -> list[Outcome]:
    """Run checks one after another; `begin` hears of each as it begins, `tell` as it ends."""
    outcomes: list[Outcome] = []
    closed: Check | None = None
    for this in checks:
        begin(this)
        if closed is not None:
            reason = f"Nothing was judged, because {closed.id} did not pass."
            outcome = Outcome(this, Verdict.UNKNOWN, 0.0, reason, next_step=f"repair {closed.id} first")
        else:
            outcome = await _run(this, lab)
        outcomes.append(outcome)
        tell(outcome)
        if this.is_gate and outcome.verdict is not Verdict.PASS:
            closed = closed or this
    return outcomes


async def _run(this: Check, lab: Any) -> Outcome:
    started = time.monotonic()
    try:
        await this.run(lab)
    except Failed as failed:
        seconds = time.monotonic() - started
        about = (failed.sentence, failed.expected, failed.found, failed.next_step, failed.because, failed.so)
        return Outcome(this, Verdict.FAIL, seconds, *about)
    except NotJudged as reason:
        return Outcome(this, Verdict.UNKNOWN, time.monotonic() - started, reason.sentence, next_step=reason.next_step)
    except UserError as error:
        return Outcome(this, Verdict.UNKNOWN, time.monotonic() - started, error.message, next_step=error.next_step or "labkit status")
    return Outcome(this, Verdict.PASS, time.monotonic() - started)


def worst(outcomes: Iterable[Outcome]) -> Verdict:
    """fail > unknown > pass; no outcome at all is unknown."""
    verdicts = {outcome.verdict for outcome in outcomes} or {Verdict.UNKNOWN}
    return next(v for v in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS) if v in verdicts)
