"""The API that checks are written against, and how they are run.

A check is a function with an id and a title. It returns when all is well, raises Failed with what was expected and found, or
raises NotJudged when it could not look.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from types import ModuleType
from typing import Any


class Verdict(Enum):
    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Failed(Exception):
    """The code under study is wrong: a sentence in business words, what was expected, what was found, and what to do next."""

    def __init__(self, sentence: str, *, expected: str, found: str, next_step: str) -> None:
        super().__init__(sentence)
        self.sentence, self.expected, self.found, self.next_step = sentence, expected, found, next_step


class NotJudged(Exception):
    """The machine or the stack stood in the way: nothing can be said about the code."""

    def __init__(self, sentence: str, *, next_step: str) -> None:
        super().__init__(sentence)
        self.sentence, self.next_step = sentence, next_step


@dataclass(frozen=True)
class Check:
    id: str
    title: str
    run: Callable[[Any], None]
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


def check(check_id: str, title: str, *, gate: bool = False) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Make a function a check of its lab."""

    def mark(function: Callable[[Any], None]) -> Callable[[Any], None]:
        function.__dict__["check"] = Check(check_id, title, function, gate)
        return function

    return mark


def checks_of(module: ModuleType) -> list[Check]:
    return [value.__dict__["check"] for value in vars(module).values() if isinstance(getattr(value, "check", None), Check)]


def run_checks(checks: Iterable[Check], lab: Any, *, tell: Callable[[Outcome], None]) -> list[Outcome]:
    """Run checks one after another; `tell` hears of each as it ends."""
    outcomes: list[Outcome] = []
    closed: Check | None = None
    for this in checks:
        started = time.monotonic()
        if closed is not None:
            reason = f"Nothing was judged, because {closed.id} failed."
            outcome = Outcome(this, Verdict.UNKNOWN, 0.0, reason, next_step=f"repair {closed.id} first")
        else:
            outcome = _run(this, lab, started)
        outcomes.append(outcome)
        tell(outcome)
        if this.is_gate and outcome.verdict is not Verdict.PASS:
            closed = closed or this
    return outcomes


def _run(this: Check, lab: Any, started: float) -> Outcome:
    try:
        this.run(lab)
    except Failed as failed:
        seconds = time.monotonic() - started
        return Outcome(this, Verdict.FAIL, seconds, failed.sentence, failed.expected, failed.found, failed.next_step)
    except NotJudged as reason:
        return Outcome(this, Verdict.UNKNOWN, time.monotonic() - started, reason.sentence, next_step=reason.next_step)
    return Outcome(this, Verdict.PASS, time.monotonic() - started)


def worst(outcomes: Iterable[Outcome]) -> Verdict:
    """fail > unknown > pass; no outcome at all is unknown."""
    verdicts = {outcome.verdict for outcome in outcomes} or {Verdict.UNKNOWN}
    return next(v for v in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS) if v in verdicts)
