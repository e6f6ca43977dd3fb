"""The parts of a lab's proof that need no stack: its files as a folder of services, its guide, and its transcript."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from labkit import paths
from labkit.catalog import diagram, trees
from labkit.catalog.labs import Lab, Mutant
from labkit.catalog.trees import Tree
from labkit.checking.checks import CheckResult
from labkit.errors import UserError
from labkit.stack import state

VARIANTS = 10
SEED = 7  # fixed, so that amounts and names in a transcript stay the same
_INLINE = re.compile(r"`(labkit [^`\n]+)`")
_LINE = re.compile(r"^\s*(?:\$ )?(labkit [^\n]+)$", re.MULTILINE)
_NUMBER = re.compile(r"(?<![\w.])[0-9a-f]{16}-[0-9a-f]{16}(?!\w)|\d+(?:[.:]\d+)*")
_LIST = re.compile(r"(N for order N)(?:(?:, | and )(?:N for order N|N more))+")
_NAME = re.compile(r'([Cc]ustomer N) "[^"]*"')
AFTERWARDS = ", until a later commit corrected it"  # depends on which order was cancelled
_PART = re.compile(r"^# (.+)$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


class Files:
    """The folder that the services of a proof run from. Only files that differ are written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def become(self, wanted: Tree) -> None:
        """Make the folder contain these files and no others."""
        (self.folder / paths.OF_WORKSPACE).mkdir(parents=True, exist_ok=True)
        here = {path: content for path, content in trees.folder(self.folder).items() if not path.startswith(f"{paths.OF_WORKSPACE}/")}
        for path in trees.changed(here, wanted):
            if path in wanted:
                trees.put(self.folder / path, wanted[path])
            else:
                (self.folder / path).unlink()

    def patch(self, file: Path) -> None:
        """Apply a patch. Raises UserError if it no longer applies to the solution."""
        if why := self._patched(file):
            raise UserError(f"{file} no longer applies to the solution.", "make it again", details=why)

    def fits(self, file: Path) -> bool:
        """Return whether a patch applies to the current files."""
        return not self._patched(file, "--dry-run")

    def _patched(self, file: Path, *options: str) -> list[str]:
        """Run `patch` and return its output if it failed; empty if it succeeded. Raises UserError if `patch` is not installed."""
        program = shutil.which("patch")
        if program is None:
            raise UserError("`patch` is not installed, but mutants are patches.", "install it")
        command = [program, "-p1", "--fuzz=0", "--no-backup-if-mismatch", "-r", "-", "-d", str(self.folder), "-i", str(file), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.splitlines() or ["no output"] if done.returncode else []


def statements(file: Path) -> tuple[list[str], list[str]]:
    """Return the statements of a database mutant's .sql file before and after the line `-- undo`: those that break the data, then those
    that repair it."""
    do, _, undo = file.read_text(encoding="utf-8").partition("-- undo\n")
    split = [[line.strip().rstrip(";") for line in part.splitlines() if line.strip() and not line.startswith("--")] for part in (do, undo)]
    return split[0], split[1]


# without a stack


Misunderstood = Callable[[str], str | None]
"""Returns why the command line does not understand a line, or None."""


def problems(lab: Lab, misunderstood: Misunderstood) -> Iterator[str]:
    """Yield each problem in a lab's own files."""
    checks = [check.id for check in lab.checks()]
    for name, ids in (("given", lab.given), ("steps", [step.id for step in lab.steps]), ("mutants", [m.caught_by for m in lab.mutants])):
        yield from (f"lab.yaml: {name} names {an_id}, which no check has" for an_id in ids if an_id not in checks)
    yield from (f"check {an_id} belongs to no step" for an_id in checks if an_id not in [step.id for step in lab.steps])
    yield from (f"hints.yaml: there is no step {an_id}" for an_id in lab.hints if an_id not in [step.id for step in lab.steps])
    yield from (
        f"hints.yaml: step {an_id} has {len(hints)} hints; a step needs three" for an_id, hints in lab.hints.items() if len(hints) != 3
    )
    for step in lab.steps:
        if step.inject is not None:
            try:
                lab.injection(step)
            except (UserError, AttributeError):
                yield f"step {step.id}: inject.py has no {step.inject}"
        yield from (f"step {step.id}: {wrong}" for text in step.look if text.startswith("labkit ") and (wrong := misunderstood(text)))
    for mutant in lab.mutants:
        if not (lab.folder / mutant.file).is_file():
            yield f"mutant {mutant.name}: there is no {mutant.file}"
    if len(lab.variants) < VARIANTS:
        yield f"variants: there are {len(lab.variants)}; a lab needs at least {VARIANTS} right but unusual solutions"
    yield from _anchors(lab)
    yield from _guide(lab, checks, misunderstood)


def _anchors(lab: Lab) -> Iterator[str]:
    for stop in lab.tour:
        path = next((p for p in (lab.starter / stop.file, paths.content() / stop.file) if p.is_file()), None)
        if path is None:
            yield f"tour: there is no {stop.file}"
        elif (count := path.read_text(encoding="utf-8").count(stop.anchor)) != 1:
            yield f"tour: {stop.anchor!r} occurs {count} times in {stop.file}, not once"


def _guide(lab: Lab, checks: Iterable[str], misunderstood: Misunderstood) -> Iterator[str]:
    if not lab.guide.is_file():
        yield "there is no guide.md"
        return
    text, profile = lab.guide.read_text(encoding="utf-8"), state.profile_of(lab.profile)
    if diagram.drawn(text, profile) != text:
        yield f"guide.md: a picture does not match the stack; `labkit author test {lab.number} --record` redraws it"
    headings = [line for line in _CODE.sub("", text).splitlines() if line.startswith("## ")]
    for check in checks:
        if not any(re.search(rf"(?<!\d){re.escape(check)}(?!\d)", heading) for heading in headings):
            yield f"guide.md: no heading names check {check}"
    for command in commands_in(text):
        if wrong := misunderstood(command):
            yield f"guide.md: {wrong}"
    for pattern in lab.patterns:
        if pattern.url not in text:
            yield f"guide.md does not link {pattern.name}: {pattern.url}"
    for file in re.findall(r"`(services/[\w/.]+)`", text):
        if not (paths.content() / file).exists():
            yield f"guide.md: there is no {file}"


def commands_in(text: str) -> list[str]:
    """Return each labkit command that a guide tells the reader to type."""
    in_blocks = [line for block in _CODE.findall(text) for line in _LINE.findall(block)]
    return [command.strip() for command in (*in_blocks, *_INLINE.findall(_CODE.sub("", text)))]


# transcripts


def kept(outcomes: Iterable[CheckResult]) -> str:
    """Return the messages as a transcript records them: the words, without the numbers, which differ in each run."""
    parts = []
    for outcome in outcomes:
        assert outcome.explanation is not None, outcome
        fields = ("sentence", "expected", "found", "so", "next_step")
        texts = [(name.removesuffix("_step"), getattr(outcome.explanation, name)) for name in fields]
        lines = [f"{label:9} {text}" for label, text in texts if text]
        parts.append("\n".join([f"{outcome.verdict.value} {outcome.check.id}  {outcome.check.title}", *map(_without_numbers, lines)]))
    return "\n\n".join(parts)


def _without_numbers(line: str) -> str:
    """Replace numbers and names with placeholders. Among orders placed at the same time, even the one named first differs from run to
    run."""
    line = line.replace(AFTERWARDS, "")
    return _NAME.sub(r"\1", _LIST.sub(r"\1 …", _NUMBER.sub("N", line)))


def transcript_of(lab: Lab) -> Path:
    return lab.folder / "transcript.txt"


def transcript(parts: Mapping[str, str]) -> str:
    """Return the text of a transcript file: `starter` and each `mutant NAME`, with their recorded messages."""
    return "\n\n".join(f"# {name}\n\n{text}" for name, text in parts.items()) + "\n"


def recorded(lab: Lab) -> dict[str, str]:
    """Return the parts of a lab's transcript; empty if nothing was recorded yet."""
    path = transcript_of(lab)
    split = _PART.split(path.read_text(encoding="utf-8")) if path.is_file() else [""]
    return {name: text.strip() for name, text in zip(split[1::2], split[2::2], strict=True)}


def draw(lab: Lab) -> None:
    """Redraw the diagrams of a lab's guide."""
    if lab.guide.is_file():
        text, profile = lab.guide.read_text(encoding="utf-8"), state.profile_of(lab.profile)
        if diagram.drawn(text, profile) != text:
            paths.write(lab.guide, diagram.drawn(text, profile))


def mutant_file(lab: Lab, mutant: Mutant) -> Path:
    return lab.folder / mutant.file
