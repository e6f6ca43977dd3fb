"""What a learner has done: one small file, `.labkit/progress.json`, versioned and replaced in one step.

It keeps apart what was passed, what was passed after looking at the solution, what `jump` skipped, and what was never started. Labs are
known by their number and checks by their id, so that a lab may be renamed; what is about a lab that this labkit does not have stays as it
is. Before each change the file is copied to progress.previous.json, from which one that was cut off is read again.
"""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from labkit import paths, say
from labkit.errors import ExitCode, UserError
from labkit.lab.workspace import Workspace, told_when_refused

FORMAT = 2
PASSED, AFTER_SOLUTION, SKIPPED = "passed", "passed after solution", "skipped"


class _Record(msgspec.Struct, omit_defaults=True):
    pass


class Failure(_Record):
    """The last time that a check failed: epoch seconds, its seed, and the sentence that named the witness."""

    when: float
    sentence: str
    seed: int | None = None


class CheckRecord(_Record):
    """`state` is PASSED, AFTER_SOLUTION, SKIPPED or empty; `when` since when (epoch seconds); `last` is the last verdict.

    `digests` are those of the services that were judged last."""

    state: str = ""
    when: float | None = None
    last: str = ""
    tries: int = 0
    failure: Failure | None = None
    digests: dict[str, str] = {}


class Predicted(_Record):
    """An answer: which of the choices, counted from 0, when, and whether it was right."""

    choice: int
    when: float
    right: bool


class LabRecord(_Record):
    """Times in epoch seconds. `hints` is how many levels of each step were shown."""

    started: float | None = None
    solution: float | None = None  # shown or applied
    skipped: float | None = None
    checks: dict[str, CheckRecord] = {}
    hints: dict[str, int] = {}
    predictions: dict[str, Predicted] = {}
    injected: dict[str, float] = {}


class Progress(_Record):
    format: int = FORMAT
    labs: dict[str, LabRecord] = {}

    def lab(self, number: int) -> LabRecord:
        return self.labs.setdefault(str(number), LabRecord())


class Result(_Record):
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
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", f"make {path} readable") from None
    if not isinstance(data, dict) or not isinstance(data.get("format"), int):
        raise ValueError("it has no format")
    if data["format"] > FORMAT:
        message = f"{path} is of a later labkit (format {data['format']}; this one knows {FORMAT})."
        raise UserError(message, "install that labkit again; the file was not touched")
    for upgrade in _UPGRADES[data["format"] :]:
        data = upgrade(data)
    try:
        return msgspec.convert(data, Progress)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


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
                f"{path} cannot be read ({what}). It is kept as {aside.name}; your progress begins anew, your files are as they were."
            )
            return Progress()
        path.rename(aside)
        paths.write(path, copy.read_text(encoding="utf-8"))
    say.problem(f"{path} cannot be read ({what}). It is kept as {aside.name}; the progress of before the last change is used.")
    return found


def _from_0(data: dict[str, Any]) -> dict[str, Any]:
    """Format 0 had no record of a lab, only a list of checks that were passed."""
    return {"format": 1, "labs": {}, "passed": dict.fromkeys(data.get("passed", []))}


def _from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Format 1 had the passed checks of all labs in one mapping, check to time."""
    labs: dict[str, Any] = {}
    for check, when in data.get("passed", {}).items():
        lab = labs.setdefault(str(check).partition(".")[0], {"started": when, "checks": {}})
        lab["checks"][str(check)] = {"state": PASSED, "when": when, "last": "pass"}
    return {"format": 2, "labs": labs}


_UPGRADES: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (_from_0, _from_1)


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
        message = f"Lab {number} is worked on in a workspace, and {Path.cwd()} is in none."
        raise UserError(message, f"labkit init workshop, then cd workshop, then labkit lab {number} start", exit_code=ExitCode.USAGE)
    record = load(space).labs.get(str(number))
    if record is None or record.started is None:
        message = f"Lab {number} was never started here, so nothing is judged."
        raise UserError(message, f"labkit lab {number} start", exit_code=ExitCode.USAGE)


def record_checks(
    space: Workspace | None, number: int, results: Iterable[Result], *, given: Iterable[str], seed: int | None, digests: dict[str, str]
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
                check.failure = Failure(now, result.sentence, seed)
            if result.verdict == "pass" and check.state in ("", SKIPPED) and result.check not in given:
                check.state, check.when = AFTER_SOLUTION if lab.solution else PASSED, now

    return change(space, act).lab(number)
