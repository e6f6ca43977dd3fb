"""What is mutated: the exercise of a lab, or the services as a whole."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from labkit import paths
from labkit.catalog import trees
from labkit.catalog.labs import Lab, all_labs, find_lab
from labkit.catalog.trees import Tree
from labkit.errors import UserError
from labkit.mutation import known
from labkit.mutation.known import KnownMutant
from labkit.mutation.languages import LANGUAGES
from labkit.mutation.model import GeneratedMutant

WHOLE = ("customers", "orders", "order_history", "messaging")


@dataclass(frozen=True)
class Subject:
    """Files of a tree, and who judges their mutants. `folder` holds the known mutants."""

    name: str
    title: str
    tree: Tree
    files: Sequence[str]
    labs: Mapping[str, tuple[int, ...]]
    """For each file the labs whose checks judge it, one after another."""
    folder: Path
    exam: bool = False

    @cached_property
    def mutants(self) -> list[GeneratedMutant]:
        """All mutants of the files. Raises UserError if the libraries for it are not installed."""
        try:
            from labkit.mutation import generate
        except ModuleNotFoundError as error:
            raise UserError(f"Mutants need {error.name}, which is not installed.", "pip install 'labkit[author]'") from None
        return generate.mutants_of(self.tree, self.files)

    @cached_property
    def known(self) -> dict[str, KnownMutant]:
        return known.read(self.folder)

    @property
    def equivalent(self) -> set[str]:
        return {an_id for an_id, one in self.known.items() if one.verdict == "equivalent"}

    def sample(self, count: int | None, seed: int) -> list[GeneratedMutant]:
        """Return the mutants that are not equivalent, or so many of them, drawn from a seed."""
        chosen = [mutant for mutant in self.mutants if mutant.id not in self.equivalent]
        if count is None or count >= len(chosen):
            return chosen
        return sorted(random.Random(seed).sample(chosen, count), key=self.mutants.index)


def find(number: int | None) -> Subject:
    """Return the exercise of a lab; None: the services as a whole. Raises UserError if there is no such lab."""
    return of_services() if number is None else of_lab(find_lab(number))


def of_lab(lab: Lab) -> Subject:
    """Return the files of a lab's exercise, judged by the lab's checks."""
    tree = trees.solved(lab)
    files = [path for path in trees.exercise(lab) if path in tree and path.endswith(LANGUAGES)]
    return Subject(f"lab-{lab.number}", f"Lab {lab.number} · {lab.title}", tree, files, dict.fromkeys(files, (lab.number,)), lab.folder)


def of_services() -> Subject:
    """Return the files of the services, judged by all labs and by the exam. The lab whose exercise is nearest judges first."""
    tree, labs = trees.reference(), all_labs()
    files = [path for path in sorted(tree) if path.split("/")[1] in WHOLE and path.endswith(LANGUAGES)]
    order = {path: tuple(lab.number for lab in sorted(labs, key=lambda lab: (-_nearness(lab, path), lab.number))) for path in files}
    return Subject("services", "The services", tree, files, order, paths.content() / "labs", exam=True)


def _nearness(lab: Lab, path: str) -> int:
    """Return how many files of a lab's exercise are in the folder of this file."""
    folder = path.rpartition("/")[0]
    return sum(other.rpartition("/")[0] == folder for other in trees.exercise(lab))
