"""lab.yaml and hints.yaml as types. An error names the file, the line and the field."""

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from labkit.errors import UserError
from labkit.system import DEFAULT
from labkit.user_files import Wrong, Yaml, yaml_of

T = TypeVar("T")
CHECK_ID = re.compile(r"[0-9]{1,6}\.[0-9]{1,6}")


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Pattern(_Strict, frozen=True):
    """A pattern that the lab teaches, and its public page."""

    name: str
    url: str


class Prediction(_Strict, frozen=True):
    """A question asked before the fault. `answer` is an index into `choices`."""

    question: str
    choices: list[str]
    answer: int
    because: str


class Step(_Strict, frozen=True):
    """A step of the guide and the check that it leads to; both have the same id. `inject` names a function of the lab's inject.py.
    `look` lists the commands for the inspection afterwards, filled in with the function's result."""

    id: str
    title: str
    predict: Prediction | None = None
    inject: str | None = None
    look: list[str] = []


class Stop(_Strict, frozen=True):
    """A stop of the tour: a place in the code, and what to notice there. `anchor` occurs exactly once in the file."""

    file: str
    anchor: str
    say: str


class Mutant(_Strict, frozen=True):
    """A wrong solution: a patch on the solution that one check must catch, with a message that contains `says`."""

    name: str
    file: str
    caught_by: str
    says: str


class LabYaml(_Strict, frozen=True):
    """A lab's description. `given`: the checks that already pass in the starter. `profile`: the name of one of labkit's profiles, or of
    the lab's own profile.py."""

    number: int
    title: str
    minutes: int
    profile: str = DEFAULT
    patterns: list[Pattern] = []
    given: list[str] = []
    steps: list[Step] = []
    tour: list[Stop] = []
    mutants: list[Mutant] = []


def read(path: Path) -> LabYaml:
    """Return the contents of a lab.yaml. Raises UserError that names the line of a mistake."""
    document, lab = _read(path, LabYaml)
    for place, what in _problems(lab):
        raise _wrong(path, document.line(place), what)
    return lab


def read_hints(path: Path) -> dict[str, list[str]]:
    """Return the contents of a hints.yaml: for each step, its hints. Raises UserError that names the line of a mistake."""
    document, hints = _read(path, dict[str, Any])
    for step, texts in hints.items():
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise _wrong(path, document.line([step]), f"the hints of step {step} are not a list of texts")
    return hints


def _read(path: Path, type_: type[T]) -> tuple[Yaml, T]:
    try:
        document = yaml_of(path)
        return document, document.as_type(type_)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}.", "restore the lab's folder, or install labkit again") from None
    except Wrong as error:
        raise _wrong(path, error.line or 1, error.what) from None


def _wrong(path: Path, line: int, what: str) -> UserError:
    return UserError(f"{path}, line {line}: {what}.", f"docs/writing-a-lab.md describes {path.name}")


def _problems(lab: LabYaml) -> list[tuple[list[str | int], str]]:
    """Return the problems that types cannot express."""
    found: list[tuple[list[str | int], str]] = []

    def own_id(check: str, place: list[str | int]) -> None:
        if not CHECK_ID.fullmatch(check) or int(check.partition(".")[0]) != lab.number:
            found.append((place, f"{check!r} is not a check of lab {lab.number}, whose ids are like {lab.number}.1"))

    for i, check in enumerate(lab.given):
        own_id(check, ["given", i])
    for i, step in enumerate(lab.steps):
        own_id(step.id, ["steps", i, "id"])
        if any(step.id == other.id for other in lab.steps[:i]):
            found.append((["steps", i, "id"], f"a second step {step.id}"))
        if step.predict is not None and not 0 <= step.predict.answer < len(step.predict.choices):
            what = f"answer {step.predict.answer} is not one of the {len(step.predict.choices)} choices"
            found.append((["steps", i, "predict", "answer"], what))
        if step.look and step.inject is None:
            found.append((["steps", i, "look"], f"step {step.id} has nothing to look at: it has no inject"))
    for i, mutant in enumerate(lab.mutants):
        own_id(mutant.caught_by, ["mutants", i, "caught_by"])
        if any(mutant.name == other.name for other in lab.mutants[:i]):
            found.append((["mutants", i, "name"], f"a second mutant {mutant.name}"))
        if not mutant.says.strip():
            found.append((["mutants", i, "says"], f"mutant {mutant.name} does not say what its message contains"))
    return found
