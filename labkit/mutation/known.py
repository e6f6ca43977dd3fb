"""Mutants that somebody looked at: some mean the same as right code, so nobody outside could tell them apart; others are wrong, and no
check catches them. Each has a reason.

The file is `known-mutants.yaml`, in a lab's folder for its exercise, and in `labs/` for the services as a whole. A mutant is known by its
content, so the reason is asked for again when the code around it changes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from labkit import paths
from labkit.errors import UserError
from labkit.user_files import Wrong, yaml_of

FILE = "known-mutants.yaml"
_HEAD = "# Mutants that somebody looked at; written by `labkit author known`.\n"


class KnownMutant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`change` shows the mistake for readers; the id alone counts."""

    id: str
    verdict: Literal["equivalent", "not caught"]
    file: str
    change: str
    why: str


def read(folder: Path) -> dict[str, KnownMutant]:
    """Return the known mutants of a folder, by id. Raises UserError that names the line of a mistake."""
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        return {found.id: found for found in yaml_of(path).as_type(list[KnownMutant])}
    except Wrong as error:
        raise UserError(f"{path}, line {error.line or 1}: {error.what}.", f"docs/writing-a-lab.md describes {FILE}") from None


def write(folder: Path, known: Mapping[str, KnownMutant]) -> None:
    """Replace the file. It is sorted, so that a difference is small."""
    import yaml

    ordered = sorted(known.values(), key=lambda one: (one.file, one.verdict, one.change, one.id))
    documents = [msgspec.to_builtins(one) for one in ordered]
    paths.write(folder / FILE, _HEAD + yaml.safe_dump(documents, sort_keys=False, allow_unicode=True, width=140))
