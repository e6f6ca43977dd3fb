"""What a learner has done: one small, versioned file, `.labkit/progress.json`, which is replaced atomically.

It distinguishes what has passed, what passed after the solution was shown, what `jump` skipped, and what was never started. Labs are
identified by their number and checks by their id, so a lab can be renamed. Records of a lab that this labkit does not have stay unchanged.
Before each change, the file is copied to progress.previous.json, which replaces a truncated file.
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
from labkit.workspace.learner_folder import Workspace, write_errors_explained

FORMAT = 2
PASSED: Final = "passed"
AFTER_SOLUTION: Final = "passed after solution"
SKIPPED: Final = "skipped"


LONGEST_SENTENCE = 20_000
# The valid contents, also of a file that someone else wrote: ids in the form that labs use, times within the calendar.
When = Annotated[float, msgspec.Meta(ge=0, le=user_files.LATEST)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
LabNumber = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,6}\Z")]
CheckId = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,6}\.[0-9]{1,6}\Z")]
Name = Annotated[str, msgspec.Meta(max_length=200)]
Sentence = Annotated[str, msgspec.Meta(max_length=LONGEST_SENTENCE)]


class _Record(msgspec.Struct, omit_defaults=True):
    pass


class Failure(_Record):
    """The last failure of a check: the time in epoch seconds, the seed, and the sentence that describes the failure."""

    when: When
    sentence: Sentence
    seed: int | None = None


class CheckRecord(_Record):
    """The record of one check. `state` is PASSED, AFTER_SOLUTION, SKIPPED or empty; `when` is the time of that state in epoch seconds;
    `last` is the last verdict.

    `digests` are the digests of the services in the last run.
    """

    state: Literal["", "passed", "passed after solution", "skipped"] = ""
    when: When | None = None
    last: Name = ""
    tries: Count = 0
    failure: Failure | None = None
    digests: dict[Name, Name] = {}


class Predicted(_Record):
    """An answer: the index of the choice, counted from 0, the time, and whether it was right."""

    choice: Count
    when: When
    right: bool


class LabRecord(_Record):
    """The record of one lab. Times are in epoch seconds. `hints` is the number of hints shown per step; `place` is the index of the
    guide section that was read last."""

    started: When | None = None
    solution: When | None = None  # the time at which it was shown or applied
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
    """One check's outcome, as `record_checks` takes it. `verdict` is pass, fail or unknown; `sentence` describes a failure."""

    check: str
    verdict: str
    sentence: str = ""


def path_of(space: Workspace) -> Path:
    return space.labkit_folder / "progress.json"


def load(space: Workspace | None) -> Progress:
    """Return the workspace's progress; empty without a workspace or before the first lab. If the file is truncated, its previous copy is
    used and the user is informed. Raises UserError if the file was written by a later labkit or cannot be opened."""
    if space is None:
        return Progress()
    try:
        return read(path_of(space))
    except FileNotFoundError:
        return Progress()
    except ValueError as error:
        return _from_copy(space, str(error))


def read(path: Path) -> Progress:
    """Return the progress in a file of this or any earlier format. Raises ValueError if the file is damaged, UserError if a later labkit
    wrote it or it cannot be opened."""
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
    """Replace a damaged file with its previous copy. The damaged file is set aside, never removed."""
    path, copy = path_of(space), space.labkit_folder / "progress.previous.json"
    with write_errors_explained(space.folder):
        aside = path.with_name(f"progress.broken-{time.strftime('%Y%m%d-%H%M%S')}.json")
        try:
            found = read(copy)
        except (FileNotFoundError, ValueError):
            path.rename(aside)
            say.problem(
                f"{path} cannot be read ({what}). It was moved to {aside.name}; your progress starts over, your files are unchanged."
            )
            return Progress()
        path.rename(aside)
        paths.write(path, copy.read_text(encoding="utf-8"))
    say.problem(f"{path} cannot be read ({what}). It was moved to {aside.name}; the progress from before the last change is used.")
    return found


class _Format(msgspec.Struct):
    format: Annotated[int, msgspec.Meta(ge=0)]


class _Format0(msgspec.Struct):
    """Format 0: no record per lab, only a list of passed checks."""

    passed: list[CheckId] = []


class _Format1(msgspec.Struct):
    """Format 1: the passed checks of all labs in one mapping, check to time."""

    passed: dict[CheckId, When | None] = {}


def _from_1(passed: Mapping[str, float | None]) -> Progress:
    found = Progress()
    for check, when in passed.items():
        lab = found.labs.setdefault(check.partition(".")[0], LabRecord(started=when))
        lab.checks[check] = CheckRecord(state=PASSED, when=when, last="pass")
    return found


def change(space: Workspace, act: Callable[[Progress], None]) -> Progress:
    """Read, change and write the progress under a lock. Raises UserError if it cannot be written."""
    with write_errors_explained(space.folder), paths.locked(space.labkit_folder / "progress.lock"):
        progress = load(space)
        act(progress)
        _write(space, progress)
    return progress


def _write(space: Workspace, progress: Progress) -> None:
    path = path_of(space)
    if path.exists():
        paths.write(space.labkit_folder / "progress.previous.json", path.read_text(encoding="utf-8"))
    progress.format = FORMAT
    paths.write(path, json.dumps(msgspec.to_builtins(progress) | {"format": FORMAT}, indent=1) + "\n")


def replace(space: Workspace, progress: Progress) -> None:
    """Replace all of the progress."""
    with write_errors_explained(space.folder), paths.locked(space.labkit_folder / "progress.lock"):
        _write(space, progress)


# recording and refusing checks


def refuse_unstarted(space: Workspace | None, number: int) -> None:
    """Raise UserError (exit code 254) for a lab that was never started: a check would judge another lab's code. Lab 1 can be judged
    anywhere."""
    if number == 1:
        return
    if space is None:
        message = f"Lab {number} is done in a workspace, and you are not in one ({Path.cwd()})."
        raise UserError(message, f"labkit init workshop, then cd workshop, then labkit lab {number} start", exit_code=ExitCode.USAGE)
    record = load(space).labs.get(str(number))
    if record is None or record.started is None:
        message = f"Lab {number} was not started here, so nothing is judged."
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
    """Record a run of checks, and return the updated record of the lab. A check that already passes in the starter (`given`) counts as
    tried, but not as progress. A check that has passed once stays passed. Nothing is recorded without a workspace."""
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
