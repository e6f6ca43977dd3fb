"""An exam: one history after another until time is up. The first that fails is shrunk, so that what is shown is short."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from labkit.checking.checks import Failed, NotJudged
from labkit.checking.delta_debugging import reductions
from labkit.checking.histories import draw
from labkit.checking.histories.check import judge_history
from labkit.checking.histories.disturb import may_be_down
from labkit.checking.histories.model import History, Step, said
from labkit.checking.session import Session
from labkit.checking.trial import Trial
from labkit.errors import UserError
from labkit.explanation import Explanation
from labkit.pass_fail_unknown import Verdict

SHRINK_TRIES = 20


@dataclass(frozen=True)
class PlayedHistory:
    """A history and its verdict. `explanation` says why it did not pass."""

    number: int
    history: History
    verdict: Verdict
    seconds: float
    explanation: Explanation | None = None


async def histories(run: Session, seed: int, seconds: float, tell: Callable[[PlayedHistory], None]) -> PlayedHistory | None:
    """Play histories until time is up (s), or until one fails. Return the one that failed, else the last one that is unknown, or None."""
    ends, number, unknown = time.monotonic() + seconds, 0, None
    while time.monotonic() < ends:
        history = draw.short(seed) if number == 0 else draw.long(seed, number - 1, may_be_down(run.stack.profile))
        played = await judged(run, number, history)
        tell(played)
        if played.verdict is Verdict.FAIL:
            return played
        if played.verdict is Verdict.UNKNOWN:
            unknown = played
        number += 1
    return unknown


async def judged(run: Session, number: int, history: History) -> PlayedHistory:
    """Play a history and judge everything that came of it."""
    began = time.monotonic()

    def played(verdict: Verdict, explanation: Explanation | None = None) -> PlayedHistory:
        return PlayedHistory(number, history, verdict, time.monotonic() - began, explanation)

    with Trial(run, history.seed) as trial:
        try:
            await judge_history(trial, history)
        except Failed as failed:
            return played(Verdict.FAIL, failed.explanation)
        except NotJudged as reason:
            return played(Verdict.UNKNOWN, reason.explanation)
        except UserError as error:
            return played(Verdict.UNKNOWN, Explanation(error.message, next_step=error.next_step or "labkit status"))
        finally:
            await run.faults.heal_all()
    return played(Verdict.PASS)


async def shrunk(run: Session, failed: PlayedHistory, ends: float) -> PlayedHistory:
    """Return a shorter history that also fails, or the given one. `ends` (time.monotonic()) limits how long the search takes."""
    best, parts = failed, reductions(failed.history.steps, tries=SHRINK_TRIES)
    has_failed: bool | None = None
    with suppress(StopIteration):
        while time.monotonic() < ends:
            steps = parts.send(has_failed)
            played = await judged(run, failed.number, replace(failed.history, steps=tuple(steps)))
            has_failed = played.verdict is Verdict.FAIL
            best = played if has_failed else best
    return best


def in_words(history: History) -> list[str]:
    """Return each step with its customer."""
    return [f"customer {_name(history, step)}: {said(step)}" for step in history.steps]


def _name(history: History, step: Step) -> str:
    return "that nobody knows" if not history.people[step.who].name else "ABCD"[step.who]
