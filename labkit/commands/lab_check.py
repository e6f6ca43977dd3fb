"""labkit lab N check: judge the code of a lab on the running stack."""

import asyncio
import json
import secrets
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from labkit import explanation as explanations
from labkit.catalog.labs import Lab, find_lab
from labkit.catalog.run import chosen, judge
from labkit.checking.checks import Check, CheckResult
from labkit.errors import ExitCode, UserError
from labkit.explanation import Explanation
from labkit.pass_fail_unknown import Verdict, worst
from labkit.terminal import say, screen
from labkit.workspace.predictions import compare_after_check

if TYPE_CHECKING:
    from labkit.workspace.learner_folder import Workspace
    from labkit.workspace.progress import LabRecord

TOOK_WIDTH = 7  # "  1.0 s"
PROGRESS_S = 1.0  # a check that takes longer shows its progress


def check(stack_name: str, number: int, only: Sequence[str] = (), *, as_json: bool = False, seed: int | None = None) -> ExitCode:
    """Run all checks of a lab, or the checks `only`. Exit code 0 pass, 1 fail, 2 unknown."""
    from labkit.stack import state
    from labkit.workspace import current, progress
    from labkit.workspace.attempt import attempt

    lab = find_lab(number)
    space = current.workspace_or_none()
    progress.refuse_unstarted(space, number)
    checks = chosen(lab, only)
    stack = state.load(stack_name)
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    title = f"Lab {lab.number} · {lab.title}"
    with attempt(stack, f"labkit lab {number} check", title, as_json=as_json) as (stack, restarted):
        table = _Table(lab, checks, silent=as_json)
        began = time.monotonic()
        outcomes, remarks = asyncio.run(judge(stack, lab, checks, seed, begin=table.begin, tell=table.tell, doing=table.doing))
    verdict = worst(outcome.verdict for outcome in outcomes)
    results = [progress.CheckVerdict(o.check.id, o.verdict.value, o.sentence) for o in outcomes]
    judged = {**{c.name: c.digest for c in stack.components if c.digest}, **_beside(space)}
    before = progress.load(space).lab(number)
    known = progress.record_checks(space, number, results, given=lab.given, seed=seed, digests=judged)
    if as_json:
        data = {"lab": number, "seed": seed, "verdict": verdict.value, "restarted": restarted, "notes": remarks}
        say.raw(json.dumps({**data, "checks": [as_data(o, lab) for o in outcomes]}, indent=2, ensure_ascii=False))
    else:
        for line in explained(outcomes, remarks, number, seed, time.monotonic() - began, screen.width()):
            say.line(line)
        compare_after_check(lab, known, [o.check.id for o in outcomes if o.verdict is Verdict.PASS])
        for line in _what_now(lab, space, outcomes, before, judged):
            say.line(line)
    return verdict.exit_code


def _beside(space: "Workspace | None") -> dict[str, str]:
    """Return the digests of the files that the lab placed beside the services, for those that exist."""
    from labkit.catalog import trees
    from labkit.workspace import manifest

    if space is None:
        return {}
    found = trees.of_workspace(space.folder, manifest.read(space).beside)
    return {path: trees.digest({path: content}) for path, content in found.items() if not trees.in_services(path)}


def _what_now(
    lab: Lab, space: "Workspace | None", outcomes: Sequence[CheckResult], before: "LabRecord", judged: dict[str, str]
) -> Iterator[str]:
    """Yield the next command after a pass. After a repeated failure, yield a hint if no file has changed since the last check."""
    from labkit.workspace import lab_status, next_step, progress

    failed = [before.checks.get(o.check.id) for o in outcomes if o.verdict is Verdict.FAIL]
    if failed and all(record and record.last == Verdict.FAIL.value and record.digests == judged for record in failed):
        yield "No file has changed since the last check. Is your edit saved?"
    if any(o.verdict is not Verdict.PASS for o in outcomes):
        return
    known = progress.load(space)
    now = lab_status.of_lab(lab, known)
    if space is None:
        yield f"These are labkit's own services, with every exercise done. To write your own, make a workspace.\nNext: {next_step.first()}"
    elif now.state in (lab_status.DONE, progress.AFTER_SOLUTION):
        yield f"Lab {lab.number} is done.\nNext: {next_step.of_labs(lab_status.of_all(known), space)}"
    else:
        yield f"Next: {next_step.of_lab(now)}"


def check_again_and_again(stack_name: str, number: int, only: Sequence[str], *, as_json: bool, seed: int | None) -> ExitCode:
    """Check now, and again each time a file in the workspace is saved. Ends with Ctrl-C; returns the exit code of the last run."""
    from labkit import interrupts
    from labkit.workspace import current, watching

    space = current.workspace()
    interrupts.on_termination()
    code = ExitCode.UNKNOWN
    try:
        for _ in watching.saves(space):
            try:
                code = check(stack_name, number, only, as_json=as_json, seed=seed)
            except UserError as error:
                if error.exit_code is ExitCode.USAGE:
                    raise
                say.problem(f"{error}")
            if not as_json:
                say.line(f"\nWatching {space.folder}: checks run again when you save. Ctrl-C stops.\n")
    except KeyboardInterrupt:
        say.line()
    return code


class _Table:
    """Prints one line per check as the check ends. On a terminal, also shows the current activity of a check that takes a while."""

    def __init__(self, lab: Lab, checks: Sequence[Check], *, silent: bool) -> None:
        self._given = set(lab.given)
        self._silent = silent
        self._ids = 2 + max(len(c.id) for c in checks)
        self._width = screen.room(max(len(c.title) for c in checks), (self._ids, TOOK_WIDTH, len("given")))
        self._now: Check | None = None
        self._begun = 0.0

    def begin(self, this: Check) -> None:
        self._now, self._begun = this, time.monotonic()
        self._show("")

    def doing(self, what: str) -> None:
        if time.monotonic() - self._begun > PROGRESS_S:
            self._show(what)

    def _show(self, what: str) -> None:
        if not self._silent and self._now is not None:
            say.progress(f"  … {self._now.id}  {self._now.title}{f': {what}' if what else ''}")

    def tell(self, outcome: CheckResult) -> None:
        if self._silent:
            return
        say.progress("")
        c = outcome.check
        given = "given" if c.id in self._given and outcome.verdict is Verdict.PASS else ""
        took = f"{outcome.seconds:5.1f} s"
        cells = [(f"{outcome.verdict.mark} {c.id}", self._ids), (c.title, self._width), (took, TOOK_WIDTH), (given, len(given))]
        for line in screen.row(cells):
            say.line(line)


def explained(outcomes: Sequence[CheckResult], notes: Sequence[str], number: int, seed: int, seconds: float, columns: int) -> Iterator[str]:
    """Yield the explanation of each check that did not pass, then the notes and the summary line."""
    for outcome in outcomes:
        if outcome.explanation is not None:
            yield from ("", *_explained(outcome, outcome.explanation, columns))
    yield ""
    for note in notes:
        yield f"Note: {note}"
    counts = [(sum(o.verdict is verdict for o in outcomes), verdict.word) for verdict in Verdict]
    first = next((o for o in outcomes if o.verdict is Verdict.FAIL), None)
    stuck = f" Stuck? labkit lab {number} hint {first.check.id}" if first else ""
    yield f"{', '.join(f'{n} {word}' for n, word in counts if n)} in {seconds:.1f} s (seed {seed}).{stuck}"


def _explained(outcome: CheckResult, explanation: Explanation, columns: int) -> Iterator[str]:
    not_judged = ": nothing was judged" if outcome.verdict is Verdict.UNKNOWN else ""
    yield explanations.heading(outcome.verdict.mark, outcome.check.id, f"{outcome.check.title}{not_judged}")
    yield ""
    yield from explanations.as_lines(explanation, columns)


def as_data(outcome: CheckResult, lab: Lab) -> dict[str, Any]:
    about = {"id": outcome.check.id, "title": outcome.check.title, "verdict": outcome.verdict.value, "seconds": round(outcome.seconds, 3)}
    given = {"given": True} if outcome.check.id in lab.given else {}
    return {**about, **given, **(explanations.as_data(outcome.explanation) if outcome.explanation else {})}
