"""Find the invariants: a folder each, labkit's own and those of labs. Nothing registers them."""

import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from labkit import paths
from labkit.errors import ExitCode, UserError
from labkit.invariants.model import JUDGED, RULE, VIOLATIONS, Invariant

__all__ = ["Invariant", "all_invariants", "find", "ids", "of_profile"]

_OWN = Path(__file__).parent
_FOLDER = re.compile(r"i([1-9][0-9]*)_[a-z0-9_]+")
_IN_LABS = "*/invariants/*/"


def ids(labs: Path | None = None) -> list[str]:
    """Return the ids of all invariants, I1, I2, …, in numerical order."""
    return list(_folders(labs))


def find(invariant_id: str, labs: Path | None = None) -> Invariant:
    """Return the invariant with an id such as `I1`. Raises UserError if there is none."""
    folders = _folders(labs)
    folder = folders.get(invariant_id.upper())
    if folder is None:
        raise UserError(f"There is no invariant {invariant_id!r}; there are {', '.join(folders)}.", exit_code=ExitCode.USAGE)
    return _invariant(folder)


def all_invariants(labs: Path | None = None) -> list[Invariant]:
    """Return all invariants in numerical order. `labs` is the folder with the labs, by default the labs that come with labkit.

    Raises UserError for an invalid folder, and if two folders have the same number.
    """
    return [_invariant(folder) for folder in _folders(labs).values()]


def of_profile(profile: str, labs: Path | None = None) -> list[Invariant]:
    """Return the invariants for a run of this profile.

    They are all of labkit's own, which report `not applicable` where they do not apply, and those of labs that apply to the profile.
    """
    return [each for each in all_invariants(labs) if each.folder.parent == _OWN or each.holds_for(profile)]


def _folders(labs: Path | None) -> dict[str, Path]:
    found: dict[int, Path] = {}
    for folder in _candidates(labs or paths.content() / "labs"):
        number = _number(folder)
        if number in found:
            raise UserError(f"Two invariants are I{number}: {found[number]} and {folder}.", "give one of them another number")
        found[number] = folder
    return {f"I{number}": found[number] for number in sorted(found)}


def _candidates(labs: Path) -> Iterator[Path]:
    own = (folder for folder in sorted(_OWN.iterdir()) if _FOLDER.fullmatch(folder.name))
    brought = (folder for folder in sorted(labs.glob(_IN_LABS)) if not folder.name.startswith(("_", ".")))
    for folder in (*own, *brought):
        if any(entry.name != "__pycache__" for entry in folder.iterdir()):  # a renamed folder may leave it behind
            yield folder


def _number(folder: Path) -> int:
    name = _FOLDER.fullmatch(folder.name)
    if name is None:
        raise UserError(f"{folder} is not named as an invariant's folder is.", "name it iN_name, such as i15_stock")
    for file in (RULE, VIOLATIONS, JUDGED):
        if not (folder / file).is_file():
            raise UserError(f"{folder} has no {file}.", "docs/writing-a-lab.md describes an invariant's files")
    return int(name[1])


@cache
def _invariant(folder: Path) -> Invariant:
    found = getattr(_module(folder), "RULE", None)
    if not isinstance(found, Invariant):
        raise UserError(f"{folder / RULE} has no RULE that is an Invariant.", "docs/writing-a-lab.md describes an invariant's files")
    return replace(found, id=f"I{_number(folder)}", folder=folder)


def _module(folder: Path) -> ModuleType:
    if folder.parent == _OWN:
        return importlib.import_module(f"labkit.invariants.{folder.name}.rule")
    name = f"labkit_{folder.parent.parent.name}_{folder.name}".replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, folder / RULE)
    assert spec is not None, folder
    assert spec.loader is not None, folder
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their module
    spec.loader.exec_module(module)
    return module


def __getattr__(name: str) -> Any:
    """Support `from labkit.invariants.discovery import I1`."""
    if re.fullmatch(r"I[1-9][0-9]*", name):
        return find(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
