"""labkit author seeds: hand-written solutions judged again and again; a verdict must not depend on the seed."""

import time
from collections import Counter
from collections.abc import Sequence

from labkit.catalog.labs import Lab, Mutant, chosen_labs
from labkit.catalog.proof_stack import ProofStack, proof_stack
from labkit.catalog.solutions import combined, mistaken
from labkit.checking.checks import CheckResult
from labkit.errors import ExitCode, UserError
from labkit.pass_fail_unknown import Verdict, worst
from labkit.terminal import say

STACK = "author-seeds"
MAY_BE_UNKNOWN = 0.005  # of the runs of right solutions


def judge_with_seeds(numbers: Sequence[int], *, seeds: Sequence[int], runtime: str | None, only: Sequence[str]) -> ExitCode:
    """Judge right variants and mutants with each of the seeds. Exit code 0 if each verdict is right, except that few right solutions may be
    unknown; otherwise 1."""
    labs = chosen_labs(numbers, only)
    began = time.monotonic()
    with proof_stack(STACK, runtime) as stack:
        runs = _Runs(stack, seeds)
        for lab in labs:
            say.line(f"\nLab {lab.number} · {lab.title}\n")
            runs.variants(lab, only)
            runs.mutants(lab, only)
    say.line(f"\nRight variants: {_counted(runs.right)}. Mutants: {_counted(runs.mistaken)}. {time.monotonic() - began:.0f} s.")
    return ExitCode.OK if runs.are_right else ExitCode.FAIL


class _Runs:
    """Judges with all seeds, prints each verdict that is not right, and counts."""

    def __init__(self, stack: ProofStack, seeds: Sequence[int]) -> None:
        self._stack, self._seeds = stack, seeds
        self.right: Counter[str] = Counter()
        self.mistaken: Counter[str] = Counter()

    @property
    def are_right(self) -> bool:
        few = MAY_BE_UNKNOWN * self.right.total()
        return not self.right["fail"] and self.right["unknown"] <= few and self.mistaken.keys() <= {"fail"}

    def variants(self, lab: Lab, only: Sequence[str]) -> None:
        groups = combined(self._stack, lab, [file for file in lab.variants if not only or file.stem in only])
        while self._renewed(lab) and (together := next(groups, None)):
            name = f"right variant {', '.join(file.stem for file in together)}"
            verdicts = Counter(self._right(lab, name, seed) for seed in self._seeds)
            self._say(name, verdicts, "pass")
            for verdict, count in verdicts.items():
                self.right[verdict] += count * len(together)

    def _renewed(self, lab: Lab) -> bool:
        """Replace the stack: no verdict may depend on what another solution left behind."""
        self._stack.renew(lab)
        return True

    def _right(self, lab: Lab, name: str, seed: int) -> str:
        try:
            outcomes = self._stack.judged(lab, lab.checks(), seed)
        except UserError as error:
            say.line(f"    seed {seed}, {name}: {error}")
            return "unknown" if error.exit_code is ExitCode.UNKNOWN else "fail"
        wrong = [outcome for outcome in outcomes if outcome.verdict is not Verdict.PASS]
        for outcome in wrong:
            self._explain(seed, name, outcome)
        return worst(outcome.verdict for outcome in outcomes).value

    def mutants(self, lab: Lab, only: Sequence[str]) -> None:
        for mutant in lab.mutants:
            if not only or mutant.name in only:
                self._renewed(lab)
                with mistaken(self._stack, lab, mutant):
                    verdicts = Counter(self._mistaken(lab, mutant, seed) for seed in self._seeds)
                self._say(mutant.name, verdicts, "fail")
                self.mistaken.update(verdicts)

    def _mistaken(self, lab: Lab, mutant: Mutant, seed: int) -> str:
        checks = [check for check in lab.checks() if check.id == mutant.caught_by or check.is_gate]
        try:
            outcomes = self._stack.judged(lab, checks, seed)
        except UserError as error:
            say.line(f"    seed {seed}, {mutant.name}: {error}")
            return "does not start"
        outcome = next(outcome for outcome in outcomes if outcome.check.id == mutant.caught_by)
        if (gate := next((o for o in outcomes if o.check.is_gate and o.verdict is not Verdict.PASS), None)) is not None:
            outcome = gate
        if outcome.verdict is not Verdict.FAIL:
            self._explain(seed, mutant.name, outcome)
        elif mutant.says not in outcome.words:
            self._explain(seed, mutant.name, outcome)
            return f"fail, without {mutant.says!r}"
        return outcome.verdict.value

    def _explain(self, seed: int, name: str, outcome: CheckResult) -> None:
        say.line(f"    seed {seed}, {name}: {outcome.check.id} is {outcome.verdict.value}")
        for line in outcome.words.splitlines():
            say.line(f"        {line}")

    def _say(self, name: str, verdicts: Counter[str], wanted: str) -> None:
        say.line(f"  {'✓' if verdicts.keys() <= {wanted} else '✗'} {name}: {_counted(verdicts)}")


def _counted(verdicts: Counter[str]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())) or "none"
