"""Judging one mutant on a stack: which check catches it?"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.catalog import trees
from labkit.catalog.labs import Lab, find_lab
from labkit.catalog.proof_stack import ProofStack
from labkit.checking.checks import Check, CheckResult
from labkit.errors import UserError
from labkit.mutation.model import GeneratedMutant
from labkit.mutation.results import AT_START, CAUGHT, EXAM, SURVIVED, UNKNOWN, MutantResult
from labkit.pass_fail_unknown import Verdict

EXAM_SEED = 1


@dataclass(frozen=True)
class Task:
    """A mutant, and the labs whose checks judge it: one after another, until one of them catches it."""

    mutant: GeneratedMutant
    labs: tuple[int, ...]
    exam_s: float = 0.0
    """How long the exam may take that judges a mutant which no lab catches; 0: there is no exam."""


def judged(stack: ProofStack, task: Task) -> MutantResult:
    """Judge a mutant. If a check cannot tell, it is asked once more, on a fresh stack."""
    began, mutant, unknown = time.monotonic(), task.mutant, None

    def result(outcome: str, lab: int = 0, check: str = "", sentence: str = "") -> MutantResult:
        seconds = round(time.monotonic() - began, 1)
        return MutantResult(mutant.id, mutant.path, mutant.line, mutant.rule, outcome, lab, check, sentence, seconds)

    for lab in map(find_lab, task.labs):
        wrong = first_wrong(stack, lab, mutant)
        if isinstance(wrong, CheckResult) and wrong.verdict is Verdict.UNKNOWN:
            stack.renew(lab)
            wrong = first_wrong(stack, lab, mutant)
        if isinstance(wrong, str):
            return result(CAUGHT, lab.number, AT_START, wrong)
        if wrong is not None and wrong.verdict is Verdict.FAIL:
            return result(CAUGHT, lab.number, wrong.check.id, wrong.sentence)
        if wrong is not None:
            unknown = result(UNKNOWN, lab.number, wrong.check.id, wrong.sentence)
    if task.exam_s and (found := stack.examined(EXAM_SEED, task.exam_s)) is not None:
        outcome = CAUGHT if found.verdict is Verdict.FAIL else UNKNOWN
        return result(outcome, 0, EXAM, found.explanation.sentence if found.explanation else "")
    return unknown or result(SURVIVED)


def first_wrong(stack: ProofStack, lab: Lab, mutant: GeneratedMutant | None) -> CheckResult | str | None:
    """Return the first check that fails, else one that is unknown; or as text why a service does not start. Without a mutant, judge the
    solution."""
    stack.bring_up(lab)
    solved = trees.solved(lab)
    stack.files.become({**solved, mutant.path: mutant.content.encode()} if mutant else solved)
    wrong: list[CheckResult] = []
    try:
        for checks in _quick_ones_first(lab.checks()):
            wrong += [outcome for outcome in stack.judged(lab, checks, enough=_fails) if outcome.verdict is not Verdict.PASS]
            if any(map(_fails, wrong)):
                break
    except UserError as error:
        return error.message
    return next(filter(_fails, wrong), wrong[0] if wrong else None)


def _quick_ones_first(checks: Sequence[Check]) -> list[list[Check]]:
    """Return the checks in two parts: those that inject no faults take the least time, and catch the most."""
    parts = [c for c in checks if not c.is_alone], [c for c in checks if c.is_alone or c.is_gate]
    return [part for part in parts if any(not c.is_gate for c in part)]


def _fails(outcome: CheckResult) -> bool:
    return outcome.verdict is Verdict.FAIL
