"""labkit author test: prove labs on a separate stack, with the same judging as `labkit lab N check`."""

import asyncio
import difflib
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from labkit import interrupts, paths
from labkit.catalog import proof, trees
from labkit.catalog.labs import Lab, Mutant, all_labs, find_lab
from labkit.catalog.proof import SEED, Files
from labkit.catalog.run import judge
from labkit.checking.checks import Check, CheckResult
from labkit.errors import ExitCode, UserError
from labkit.pass_fail_unknown import Verdict
from labkit.stack import lifecycle, runtimes, sources, sql, state
from labkit.stack.component_table import SilentTable
from labkit.stack.model import Stack
from labkit.system.model import Profile
from labkit.terminal import say

STACK = "author-test"


def prove(
    numbers: Sequence[int], misunderstood: proof.Misunderstood, *, record: bool, runtime: str | None, only: Sequence[str]
) -> ExitCode:
    """Prove the given labs, or all labs if none is given. Exit code 0 if every lab is proven, otherwise 1."""
    labs = [find_lab(number) for number in numbers] if numbers else all_labs()
    known = {name for lab in labs for name in (*(mutant.name for mutant in lab.mutants), *(file.stem for file in lab.variants))}
    if strange := [name for name in only if name not in known]:
        message = f"There is no mutant or variant {strange[0]}; there are {', '.join(sorted(known))}."
        raise UserError(message, exit_code=ExitCode.USAGE)
    began, wrong = time.monotonic(), 0
    for lab in labs:
        if record:
            proof.draw(lab)
        for problem in proof.problems(lab, misunderstood):
            wrong += 1
            say.line(f"  ✗ lab {lab.number}  {problem}")
    with tempfile.TemporaryDirectory(prefix="labkit-author-") as folder, _stack(Path(folder), runtime) as proving:
        for lab in labs:
            wrong += proving.prove(lab, record=record, only=only)
    say.line(f"\n{'Proven' if not wrong else f'{wrong} not as expected'} in {time.monotonic() - began:.0f} s.")
    return ExitCode.FAIL if wrong else ExitCode.OK


@contextmanager
def _stack(folder: Path, runtime: str | None) -> "Iterator[LabProof]":
    """Yield a proof on a stack whose services run from `folder`. The stack and its data are removed at the end."""
    interrupts.on_termination()
    runtimes.refuse_unknown(runtime)
    taken = runtimes.choose(runtime, None).runtime
    files = Files(folder)
    files.become(trees.reference())
    with state.exclusive(STACK, "author test") as directory:
        lifecycle.take_down(directory, state.find(STACK), data=True)  # remains of a killed run
        try:
            yield LabProof(directory, files, taken)
        finally:
            interrupts.ignore()
            lifecycle.take_down(directory, state.find(STACK), data=True)


def _words(outcome: CheckResult) -> str:
    return outcome.explanation.words if outcome.explanation else ""


class LabProof:
    """Proves labs on one running stack. Between two variants, only the services whose files differ are restarted."""

    def __init__(self, directory: Path, files: Files, runtime: str) -> None:
        self._directory, self._files, self._runtime = directory, files, runtime
        self._wrong = 0
        self._kept: dict[str, str] = {}

    def prove(self, lab: Lab, *, record: bool, only: Sequence[str]) -> int:
        """Return the number of problems found."""
        self._wrong, self._kept = 0, {}
        self._bring_up(lab)
        checks = lab.checks()
        say.line(f"\nLab {lab.number} · {lab.title}\n")
        if not only:
            self._files.become(trees.starting_point(lab) if lab.starter.is_dir() else trees.solved(lab))
            if lab.starter.is_dir():
                self._starter(lab, self._judged(lab, checks))
            self._files.become(trees.solved(lab))
            self._all_pass("solution", self._judged(lab, checks))
        self._variants(lab, [file for file in lab.variants if not only or file.stem in only])
        for mutant in lab.mutants:
            if not only or mutant.name in only:
                self._mutant(lab, mutant)
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
        """Judge variants that can be applied together in one run, which is quicker. If that run fails, judge each one alone to find the
        cause."""
        while files:
            self._files.become(trees.solved(lab))
            together = []
            for file in files:
                if self._files.fits(file):
                    self._files.patch(file)
                    together.append(file)
            if not together:
                self._files.patch(files[0])  # raises the error that says why it does not apply
            self._variant(lab, together)
            files = [file for file in files if file not in together]

    def _variant(self, lab: Lab, together: list[Path]) -> None:
        name = f"right variant {', '.join(file.stem for file in together)}"
        try:
            passed = self._all_pass(name, self._judged(lab, lab.checks()))
        except UserError as error:
            self._say(False, f"{name}: {error}")
            passed = False
        for file in together if not passed and len(together) > 1 else ():
            self._files.become(trees.solved(lab))
            self._files.patch(file)
            self._variant(lab, [file])

    def _mutant(self, lab: Lab, mutant: Mutant) -> None:
        checks = [c for c in lab.checks() if c.id == mutant.caught_by or c.is_gate]
        file = proof.mutant_file(lab, mutant)
        self._files.become(trees.solved(lab))
        try:
            if file.suffix == ".sql":
                outcomes = self._in_the_database(lab, checks, file)
            else:
                self._files.patch(file)
                outcomes = self._judged(lab, checks)
        except UserError as error:
            self._say(False, f"mutant {mutant.name}: {error}")
            return
        outcome = next(o for o in outcomes if o.check.id == mutant.caught_by)
        if outcome.verdict is not Verdict.FAIL:
            self._say(False, f"mutant {mutant.name} is not caught: {outcome.check.id} is {outcome.verdict.value}", outcome)
        elif mutant.says not in _words(outcome):
            self._say(False, f"mutant {mutant.name} is caught by {outcome.check.id}, which does not say {mutant.says!r}", outcome)
        else:
            self._say(True, f"{mutant.name} is caught by {outcome.check.id}")
        self._kept[f"mutant {mutant.name}"] = proof.kept([outcome])

    def _in_the_database(self, lab: Lab, checks: list[Check], file: Path) -> list[CheckResult]:
        do, undo = proof.statements(file)
        self._run(do)
        try:
            return self._judged(lab, checks)
        finally:
            self._run(undo)

    def _run(self, statements: list[str]) -> None:
        with sql.connected(state.load(STACK).mysql) as cursor:
            for statement in statements:
                cursor.execute(statement)

    def _judged(self, lab: Lab, checks: list[Check]) -> list[CheckResult]:
        """Judge the checks after restarting the services whose files differ. Raises UserError if a service does not start."""
        outcomes, _ = asyncio.run(judge(self._as_the_files_are(), lab, checks, SEED))
        return outcomes

    def _as_the_files_are(self) -> Stack:
        stack = state.load(STACK)
        wanted = sources.digests(self._files.folder, stack.services)
        stale = [name for name in stack.services if stack[name].digest != wanted[name]]
        return self._brought(stack.profile, stale) if stale else stack

    def _bring_up(self, lab: Lab) -> None:
        """Bring up the components of the lab's profile, with files on which all of them start."""
        known, wanted = state.find(STACK), state.profile_of(lab.profile)
        if known is None or known.profile != wanted:
            lifecycle.take_down(self._directory, known, data=True)
            self._files.become(trees.solved(lab))
            self._brought(wanted)

    def _brought(self, profile: Profile, restart: Sequence[str] = ()) -> Stack:
        brought = lifecycle.bring_up(
            self._directory, STACK, self._files.folder, SilentTable(), runtime=self._runtime, profile=profile, restart=restart
        )
        return brought.stack

    def _say(self, good: bool, what: str, outcome: CheckResult | None = None) -> None:
        self._wrong += not good
        say.line(f"  {'✓' if good else '✗'} {what}")
        if outcome is not None:
            for line in _words(outcome).splitlines():
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
