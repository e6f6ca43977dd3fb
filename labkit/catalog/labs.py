"""The labs: one folder `labs/NN-name` each, with lab.yaml (see schema.py), guide.md, checks.py, and optionally hints.yaml,
inject.py, starter/, solution/, mutants/ and variants/."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from labkit import paths
from labkit.catalog.schema import LabYaml, Mutant, Pattern, Step, Stop, read, read_hints
from labkit.errors import ExitCode, UserError

if TYPE_CHECKING:
    from labkit.checking.checks import Check
    from labkit.checking.trial import Trial

__all__ = ["Lab", "LabYaml", "Mutant", "Pattern", "Step", "Stop", "all_labs", "chosen_labs", "find_lab"]


@dataclass(frozen=True)
class Lab:
    """A lab's folder and the contents of its lab.yaml."""

    folder: Path
    about: LabYaml

    @property
    def number(self) -> int:
        return self.about.number

    @property
    def profile(self) -> str:
        """The name of the lab's profile."""
        return self.about.profile

    @property
    def title(self) -> str:
        return self.about.title

    @property
    def minutes(self) -> int:
        return self.about.minutes

    @property
    def patterns(self) -> list[Pattern]:
        return self.about.patterns

    @property
    def given(self) -> list[str]:
        """The checks that already pass in the starter and count as no progress."""
        return self.about.given

    @property
    def steps(self) -> list[Step]:
        return self.about.steps

    @cached_property
    def hints(self) -> dict[str, list[str]]:
        """The hints of each step that has any. Raises UserError that names the line of a mistake."""
        path = self.folder / "hints.yaml"
        return read_hints(path) if path.exists() else {}

    @property
    def tour(self) -> list[Stop]:
        return self.about.tour

    @property
    def mutants(self) -> list[Mutant]:
        return self.about.mutants

    @property
    def variants(self) -> list[Path]:
        """Patches on the solution that are equally right: every check passes."""
        return sorted((self.folder / "variants").glob("*.patch"))

    @property
    def guide(self) -> Path:
        return self.folder / "guide.md"

    @property
    def starter(self) -> Path:
        """Files that replace those of the workspace when the lab starts. The folder may not exist."""
        return self.folder / "starter"

    @property
    def solution(self) -> Path:
        """Files of the solution, where it differs from the reference services. The folder may not exist."""
        return self.folder / "solution"

    def step(self, step_id: str) -> Step:
        """Return a step by its id. Raises UserError if the lab does not have it."""
        for step in self.steps:
            if step.id == step_id:
                return step
        known = ", ".join(step.id for step in self.steps) or "none"
        raise UserError(f"Lab {self.number} has no step {step_id}; it has {known}.", f"labkit lab {self.number}", exit_code=ExitCode.USAGE)

    def checks(self) -> "list[Check]":
        """The lab's checks, in order."""
        from labkit.checking.checks import checks_of

        return checks_of(self._checks)

    def prepare(self, trial: "Trial") -> Any:
        """Return the argument of the lab's checks, made by its `prepare` function from the trial."""
        return self._checks.prepare(trial)

    def injection(self, step: Step) -> Any:
        """Return the function of inject.py that plays a step's failure: `async def leak(run: Run) -> dict[str, object]`."""
        assert step.inject is not None, f"step {step.id} injects nothing"
        return getattr(self._module("inject"), step.inject)

    @cached_property
    def _checks(self) -> ModuleType:
        return self._module("checks")

    def _module(self, name: str) -> ModuleType:
        from labkit.checking.lab_modules import module

        return module(self.folder / f"{name}.py")


def all_labs() -> list[Lab]:
    """Return all labs in the order of their folders. Raises UserError for an invalid lab.yaml."""
    return [Lab(path.parent, read(path)) for path in sorted((paths.content() / "labs").glob("*/lab.yaml"))]


def find_lab(number: int) -> Lab:
    """Return a lab by its number. Raises UserError if there is none."""
    for lab in all_labs():
        if lab.number == number:
            return lab
    raise UserError(f"There is no lab {number}.", "labkit labs", exit_code=ExitCode.USAGE)


def chosen_labs(numbers: Sequence[int], solutions: Sequence[str]) -> list[Lab]:
    """Return the labs with these numbers, or all. Raises UserError if one of the solutions is no mutant or right variant of theirs."""
    labs = [find_lab(number) for number in numbers] if numbers else all_labs()
    known = {name for lab in labs for name in (*(mutant.name for mutant in lab.mutants), *(file.stem for file in lab.variants))}
    if strange := [name for name in solutions if name not in known]:
        message = f"There is no mutant or variant {strange[0]}; there are {', '.join(sorted(known))}."
        raise UserError(message, exit_code=ExitCode.USAGE)
    return labs
