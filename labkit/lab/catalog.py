"""Which labs there are: a folder `labs/NN-name` each, with lab.yaml and checks.py."""

import importlib.util
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec

from labkit import paths
from labkit.errors import UserError
from labkit.lab.check import Check, checks_of

if TYPE_CHECKING:
    from labkit.lab.application import Application


@dataclass(frozen=True)
class Lab:
    number: int
    title: str
    minutes: int
    folder: Path

    def checks(self) -> list[Check]:
        """The lab's checks in their order."""
        return checks_of(self._module)

    def prepare(self, app: "Application", seed: int) -> Any:
        """What the lab's checks are given: its scenario on the running application."""
        return self._module.prepare(app, seed)

    @cached_property
    def _module(self) -> ModuleType:
        """checks.py, which is content and in no package."""
        spec = importlib.util.spec_from_file_location(f"labkit_lab_{self.number}", self.folder / "checks.py")
        if spec is None or spec.loader is None:
            raise UserError(f"The checks of lab {self.number} are missing.", next_step="install labkit again")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


class _LabYaml(msgspec.Struct, forbid_unknown_fields=True):
    number: int
    title: str
    minutes: int


def all_labs() -> list[Lab]:
    import yaml

    labs: list[Lab] = []
    for path in sorted((paths.content() / "labs").glob("*/lab.yaml")):
        data = msgspec.convert(yaml.safe_load(path.read_text()), _LabYaml)
        labs.append(Lab(data.number, data.title, data.minutes, path.parent))
    return labs


def find_lab(number: int) -> Lab:
    """Raises UserError for a number that no lab has."""
    for lab in all_labs():
        if lab.number == number:
            return lab
    raise UserError(f"There is no lab {number}.", next_step="labkit labs")
