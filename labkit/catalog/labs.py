"""Which labs there are: a folder `labs/NN-name` each, with lab.yaml (see schema.py), guide.md, checks.py, and where the lab has them
inject.py, starter/, solution/, mutants/ and variants/."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from labkit import paths
from labkit.catalog.schema import LabYaml, Mutant, Pattern, Step, Stop, read
from labkit.errors import ExitCode, UserError

if TYPE_CHECKING:
    from labkit.checking.checks import Check
    from labkit.checking.trial import Trial

__all__ = ["Lab", "LabYaml", "Mutant", "Pattern", "Step", "Stop", "all_labs", "find_lab"]


@dataclass(frozen=True)
class Lab:
    """A lab's folder and what its lab.yaml says."""

    folder: Path
    about: LabYaml

    @property
    def number(self) -> int:
        return self.about.number

    @property
    def profile(self) -> str:
        """The name of the arrangement of the system that the lab is about."""
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
        """Checks that pass in the starter already: no progress."""
        return self.about.given

    @property
    def steps(self) -> list[Step]:
        return self.about.steps

    @property
    def tour(self) -> list[Stop]:
        return self.about.tour

    @property
    def mutants(self) -> list[Mutant]:
        return self.about.mutants

    @property
    def variants(self) -> list[Path]:
        """Patches over the solution that are as right as it is: every check passes."""
        return sorted((self.folder / "variants").glob("*.patch"))

    @property
    def guide(self) -> Path:
        return self.folder / "guide.md"

    @property
    def starter(self) -> Path:
        """Whole files that go over those of the workspace; there may be none."""
        return self.folder / "starter"

    @property
    def solution(self) -> Path:
        """Whole files of the solution where it is more than the reference services; there may be none."""
        return self.folder / "solution"

    def step(self, step_id: str) -> Step:
        """Raises UserError for a step that the lab has not."""
        for step in self.steps:
            if step.id == step_id:
                return step
        known = ", ".join(step.id for step in self.steps) or "none"
        raise UserError(f"Lab {self.number} has no step {step_id}; it has {known}.", f"labkit lab {self.number}", exit_code=ExitCode.USAGE)

    def checks(self) -> "list[Check]":
        """The lab's checks in their order."""
        from labkit.checking.checks import checks_of

        return checks_of(self._checks)

    def prepare(self, trial: "Trial") -> Any:
        """What the lab's checks are given: its scenario on the running application."""
        return self._checks.prepare(trial)

    def injection(self, step: Step) -> Any:
        """The function of inject.py that plays a step's failure: `async def leak(run: Run) -> dict[str, object]`."""
        assert step.inject is not None, f"step {step.id} injects nothing"
        return getattr(self._module("inject"), step.inject)

    @cached_property
    def _checks(self) -> ModuleType:
        return self._module("checks")

    def _module(self, name: str) -> ModuleType:
        from labkit.checking.lab_modules import module

        return module(self.folder / f"{name}.py")


def all_labs() -> list[Lab]:
    """In the order of their folders. Raises UserError for a lab.yaml that is wrong."""
    return [Lab(path.parent, read(path)) for path in sorted((paths.content() / "labs").glob("*/lab.yaml"))]


def find_lab(number: int) -> Lab:
    """Raises UserError for a number that no lab has."""
    for lab in all_labs():
        if lab.number == number:
            return lab
    raise UserError(f"There is no lab {number}.", "labkit labs", exit_code=ExitCode.USAGE)
