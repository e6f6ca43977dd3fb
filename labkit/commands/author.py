"""labkit author test: prove labs on a separate stack, with the same judging as `labkit lab N check`."""

import difflib
import time
from collections.abc import Sequence
from pathlib import Path

from labkit import paths
from labkit.catalog import proof, trees
from labkit.catalog.labs import Lab, Mutant, chosen_labs
from labkit.catalog.proof_stack import ProofStack, proof_stack
from labkit.catalog.solutions import combined, mistaken
from labkit.checking.checks import CheckResult
from labkit.errors import ExitCode, UserError
from labkit.mutation import score
from labkit.mutation.judge import Task, judged
from labkit.mutation.results import CAUGHT
from labkit.mutation.subject import of_lab
from labkit.pass_fail_unknown import Verdict
from labkit.terminal import say

STACK = "author-test"
SAMPLE = 10  # mutants made by rule; `labkit author mutate` judges all of them


def prove(
    numbers: Sequence[int], misunderstood: proof.Misunderstood, *, record: bool, runtime: str | None, only: Sequence[str]
) -> ExitCode:
    """Prove the given labs, or all labs if none is given. Exit code 0 if every lab is proven, otherwise 1."""
    labs = chosen_labs(numbers, only)
    began, wrong = time.monotonic(), 0
    for lab in labs:
        if record:
            proof.draw(lab)
        for problem in (*proof.problems(lab, misunderstood), *score.problems(of_lab(lab))):
            wrong += 1
            say.line(f"  ✗ lab {lab.number}  {problem}")
    with proof_stack(STACK, runtime) as stack:
        proving = LabProof(stack)
        for lab in labs:
            wrong += proving.prove(lab, record=record, only=only)
    say.line(f"\n{'Proven' if not wrong else f'{wrong} not as expected'} in {time.monotonic() - began:.0f} s.")
    return ExitCode.FAIL if wrong else ExitCode.OK


class LabProof:
    """Proves labs on one running stack."""

    def __init__(self, stack: ProofStack) -> None:
        self._stack, self._files = stack, stack.files
        self._wrong = 0
        self._kept: dict[str, str] = {}

    def prove(self, lab: Lab, *, record: bool, only: Sequence[str]) -> int:
        """Return the number of problems found."""
        self._wrong, self._kept = 0, {}
        self._stack.bring_up(lab)
        checks = lab.checks()
        say.line(f"\nLab {lab.number} · {lab.title}\n")
        if not only:
            self._files.become(trees.starting_point(lab) if lab.starter.is_dir() else trees.solved(lab))
            if lab.starter.is_dir():
                self._starter(lab, self._stack.judged(lab, checks))
            self._files.become(trees.solved(lab))
            self._all_pass("solution", self._stack.judged(lab, checks))
        self._variants(lab, [file for file in lab.variants if not only or file.stem in only])
        for mutant in lab.mutants:
            if not only or mutant.name in only:
                self._mutant(lab, mutant)
        if not only:
            self._made_by_rule(lab)
        self._transcript(lab, record=record, whole=not only)
        return self._wrong

    def _starter(self, lab: Lab, outcomes: list[CheckResult]) -> None:
        for outcome in outcomes:
            wanted = Verdict.PASS if outcome.check.id in lab.given else Verdict.FAIL
            if outcome.verdict is not wanted:
                self._say(False, f"starter: {outcome.check.id} should be {wanted.value} and is {outcome.verdict.value}", outcome)
        failing = [o for o in outcomes if o.verdict is Verdict.FAIL]
        if all((o.verdict is Verdict.PASS) == (o.check.id in lab.given) and o.verdict is not Verdict.UNKNOWN for o in outcomes):
            self._say(True, f"starter fails {', '.join(o.check.id for o in failing)}")
        self._kept["starter"] = proof.kept(failing)

    def _all_pass(self, name: str, outcomes: list[CheckResult]) -> bool:
        for outcome in outcomes:
            if outcome.verdict is not Verdict.PASS:
                self._say(False, f"{name}: {outcome.check.id} is {outcome.verdict.value}", outcome)
        if passed := all(o.verdict is Verdict.PASS for o in outcomes):
            self._say(True, f"{name} passes {len(outcomes)} checks")
        return passed

    def _variants(self, lab: Lab, files: list[Path]) -> None:
        """Judge variants in as few runs as possible. If a run fails, judge each of its variants alone to find the cause."""
        for together in combined(self._stack, lab, files):
            self._variant(lab, together)

    def _variant(self, lab: Lab, together: list[Path]) -> None:
        name = f"right variant {', '.join(file.stem for file in together)}"
        try:
            passed = self._all_pass(name, self._stack.judged(lab, lab.checks()))
        except UserError as error:
            self._say(False, f"{name}: {error}")
            passed = False
        for file in together if not passed and len(together) > 1 else ():
            self._files.become(trees.solved(lab))
            self._files.patch(file)
            self._variant(lab, [file])

    def _mutant(self, lab: Lab, mutant: Mutant) -> None:
        checks = [c for c in lab.checks() if c.id == mutant.caught_by or c.is_gate]
        try:
            with mistaken(self._stack, lab, mutant):
                outcomes = self._stack.judged(lab, checks)
        except UserError as error:
            self._say(False, f"mutant {mutant.name}: {error}")
            return
        outcome = next(o for o in outcomes if o.check.id == mutant.caught_by)
        if outcome.verdict is not Verdict.FAIL:
            self._say(False, f"mutant {mutant.name} is not caught: {outcome.check.id} is {outcome.verdict.value}", outcome)
        elif mutant.says not in outcome.words:
            self._say(False, f"mutant {mutant.name} is caught by {outcome.check.id}, which does not say {mutant.says!r}", outcome)
        else:
            self._say(True, f"{mutant.name} is caught by {outcome.check.id}")
        if outcome.explanation is not None:
            self._kept[f"mutant {mutant.name}"] = proof.kept([outcome])

    def _made_by_rule(self, lab: Lab) -> None:
        """Judge a few mutants that nobody wrote: each must be caught, except those known as not caught."""
        subject = of_lab(lab)
        if not subject.mutants:
            return
        chosen = [mutant for mutant in subject.sample(SAMPLE, seed=proof.SEED) if mutant.id not in subject.known]
        for mutant in chosen:
            result = judged(self._stack, Task(mutant, (lab.number,)))
            if result.outcome != CAUGHT:
                what = f"{mutant.path}:{mutant.line}, {mutant.rule}: {result.outcome}"
                self._say(
                    False, f"mutant {mutant.id} made by rule is not caught: {what}; labkit author mutate {lab.number} --mutant {mutant.id}"
                )
        if not self._wrong:
            self._say(True, f"{len(chosen)} of {len(subject.mutants)} mutants made by rule are caught")

    def _say(self, good: bool, what: str, outcome: CheckResult | None = None) -> None:
        self._wrong += not good
        say.line(f"  {'✓' if good else '✗'} {what}")
        if outcome is not None:
            for line in outcome.words.splitlines():
                say.line(f"      {line}")

    def _transcript(self, lab: Lab, *, record: bool, whole: bool) -> None:
        """Compare or record the messages. If only a part of the lab was judged, the rest of the transcript stays unchanged."""
        path, recorded = proof.transcript_of(lab), proof.recorded(lab)
        now = self._kept if whole else {**recorded, **self._kept}
        if record:
            paths.write(path, proof.transcript(now))
            self._say(True, f"recorded {path.name}")
            return
        if recorded == now:
            if self._kept:
                self._say(True, "messages are as recorded")
            return
        self._say(False, f"messages differ from {path.name}: `labkit author test {lab.number} --record` records them again")
        golden = proof.transcript(recorded).splitlines()
        for line in list(difflib.unified_diff(golden, proof.transcript(now).splitlines(), "recorded", "now", lineterm="", n=1))[:40]:
            say.line(f"      {line}")
