"""What a learner has done: one small file, `.labkit/progress.json`, versioned and replaced in one step.

It keeps apart what was passed, what was passed after looking at the solution, what `jump` skipped, and what was never started. Labs are
known by their number and checks by their id, so that a lab may be renamed; what is about a lab that this labkit does not have stays as it
is. Before each change the file is copied to progress.previous.json, from which one that was cut off is read again.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from labkit import paths, user_files
from labkit.errors import ExitCode, UserError
from labkit.terminal import say
from labkit.workspace.learner_folder import Workspace, told_when_refused

FORMAT = 2
PASSED: Final = "passed"
AFTER_SOLUTION: Final = "passed after solution"
SKIPPED: Final = "skipped"


LONGEST_SENTENCE = 20_000
# What such a file can hold, also where somebody else wrote it: ids as labs have them, times that a calendar has.
When = Annotated[float, msgspec.Meta(ge=0, le=user_files.LATEST)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
LabNumber = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,6}\Z")]
CheckId = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,6}\.[0-9]{1,6}\Z")]
Name = Annotated[str, msgspec.Meta(max_length=200)]
Sentence = Annotated[str, msgspec.Meta(max_length=LONGEST_SENTENCE)]


class _Record(msgspec.Struct, omit_defaults=True):
    pass


class Failure(_Record):
    """The last time that a check failed: epoch seconds, its seed, and the sentence that named the witness."""

    when: When
    sentence: Sentence
    seed: int | None = None


class CheckRecord(_Record):
    """`state` is PASSED, AFTER_SOLUTION, SKIPPED or empty; `when` since when (epoch seconds); `last` is the last verdict.

    `digests` are those of the services that were judged last."""

    state: Literal["", "passed", "passed after solution", "skipped"] = ""
    when: When | None = None
    last: Name = ""
    tries: Count = 0
    failure: Failure | None = None
    digests: dict[Name, Name] = {}


class Predicted(_Record):
    """An answer: which of the choices, counted from 0, when, and whether it was right."""

    choice: Count
    when: When
    right: bool


class LabRecord(_Record):
    """Times in epoch seconds. `hints` is how many levels of each step were shown; `place` is the section of the guide that was read last,
    counted from 0."""

    started: When | None = None
    solution: When | None = None  # shown or applied
    skipped: When | None = None
    checks: dict[CheckId, CheckRecord] = {}
    hints: dict[CheckId, Count] = {}
    predictions: dict[CheckId, Predicted] = {}
    injected: dict[CheckId, When] = {}
    place: Count = 0


class Progress(_Record):
    format: int = FORMAT
    labs: dict[LabNumber, LabRecord] = {}

    def lab(self, number: int) -> LabRecord:
        return self.labs.setdefault(str(number), LabRecord())


class CheckVerdict(_Record):
    """One check's outcome as `record_checks` takes it: verdict is pass, fail or unknown; the sentence is that of a failure."""

    check: str
    verdict: str
    sentence: str = ""


def path_of(space: Workspace) -> Path:
    return space.kept / "progress.json"


def load(space: Workspace | None) -> Progress:
    """As it stands; empty without a workspace and before the first lab. A file that was cut off is read from the copy before it, and told.
    Raises UserError for a file of a later labkit, and for one that nobody can read."""
    if space is None:
        return Progress()
    try:
        return read(path_of(space))
    except FileNotFoundError:
        return Progress()
    except ValueError as error:
        return _from_copy(space, str(error))


def read(path: Path) -> Progress:
    """Any format up to this one. Raises ValueError when it is not whole, UserError when it is of a later labkit or cannot be opened."""
    try:
        data = user_files.json_of(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", f"make {path} readable") from None
    number = user_files.as_type(data, _Format).format
    if number > FORMAT:
        message = f"{path} is of a later labkit (format {number}; this one knows {FORMAT})."
        raise UserError(message, "install that labkit again; the file was not touched")
    if number == 0:
        return _from_1(dict.fromkeys(user_files.as_type(data, _Format0).passed))
    if number == 1:
        return _from_1(user_files.as_type(data, _Format1).passed)
    return user_files.as_type(data, Progress)


def _from_copy(space: Workspace, what: str) -> Progress:
    """The broken file is put aside, never removed."""
    path, copy = path_of(space), space.kept / "progress.previous.json"
    with told_when_refused(space.folder):
        aside = path.with_name(f"progress.broken-{time.strftime('%Y%m%d-%H%M%S')}.json")
        try:
            found = read(copy)
        except (FileNotFoundError, ValueError):
            path.rename(aside)
            say.problem(
                f"{path} cannot be read ({what}). It is kept as {aside.name}; your progress starts over, your files are as they were."
            )
            return Progress()
        path.rename(aside)
        paths.write(path, copy.read_text(encoding="utf-8"))
    say.problem(f"{path} cannot be read ({what}). It is kept as {aside.name}; the progress from before the last change is used.")
    return found


class _Format(msgspec.Struct):
    format: Annotated[int, msgspec.Meta(ge=0)]


class _Format0(msgspec.Struct):
    """It had no record of a lab, only a list of checks that were passed."""

    passed: list[CheckId] = []


class _Format1(msgspec.Struct):
    """It had the passed checks of all labs in one mapping, check to time."""

    passed: dict[CheckId, When | None] = {}


def _from_1(passed: Mapping[str, float | None]) -> Progress:
    found = Progress()
    for check, when in passed.items():
        lab = found.labs.setdefault(check.partition(".")[0], LabRecord(started=when))
        lab.checks[check] = CheckRecord(state=PASSED, when=when, last="pass")
    return found


def change(space: Workspace, act: Callable[[Progress], None]) -> Progress:
    """Read it, change it and write it, with nobody in between. Raises UserError when it cannot be written."""
    with told_when_refused(space.folder), paths.locked(space.kept / "progress.lock"):
        progress = load(space)
        act(progress)
        _write(space, progress)
    return progress


def _write(space: Workspace, progress: Progress) -> None:
    path = path_of(space)
    if path.exists():
        paths.write(space.kept / "progress.previous.json", path.read_text(encoding="utf-8"))
    progress.format = FORMAT
    paths.write(path, json.dumps(msgspec.to_builtins(progress) | {"format": FORMAT}, indent=1) + "\n")


def replace(space: Workspace, progress: Progress) -> None:
    """All of it."""
    with told_when_refused(space.folder), paths.locked(space.kept / "progress.lock"):
        _write(space, progress)


# what a check has to do with it


def refuse_unstarted(space: Workspace | None, number: int) -> None:
    """A check of a lab that was never started would judge another lab's code. Lab 1 is judged anywhere. Raises UserError (254)."""
    if number == 1:
        return
    if space is None:
        message = f"Lab {number} is done in a workspace, and you are not in one ({Path.cwd()})."
        raise UserError(message, f"labkit init workshop, then cd workshop, then labkit lab {number} start", exit_code=ExitCode.USAGE)
    record = load(space).labs.get(str(number))
    if record is None or record.started is None:
        message = f"Lab {number} was never started here, so nothing is judged."
        raise UserError(message, f"labkit lab {number} start", exit_code=ExitCode.USAGE)


def record_checks(
    space: Workspace | None,
    number: int,
    results: Iterable[CheckVerdict],
    *,
    given: Iterable[str],
    seed: int | None,
    digests: dict[str, str],
) -> LabRecord:
    """Write down a run of checks, and return what is known of the lab then. What passes in the starter already, `given`, is written down as
    tried only: it is no progress. What was passed once stays passed. Nothing is written without a workspace."""
    if space is None:
        return LabRecord()
    results, given, now = list(results), set(given), time.time()

    def act(progress: Progress) -> None:
        lab = progress.lab(number)
        for result in results:
            check = lab.checks.setdefault(result.check, CheckRecord())
            check.last, check.tries, check.digests = result.verdict, check.tries + 1, digests
            if result.verdict == "fail":
                check.failure = Failure(now, say.plain(result.sentence)[:LONGEST_SENTENCE], seed)
            if result.verdict == "pass" and check.state in ("", SKIPPED) and result.check not in given:
                check.state, check.when = AFTER_SOLUTION if lab.solution else PASSED, now

    return change(space, act).lab(number)
