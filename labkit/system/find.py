"""Find profiles by name: labkit's own, and those of labs."""

import importlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from labkit.system import DEFAULT
from labkit.system.model import Profile

_FOLDER = Path(__file__).parent / "profiles"
_LABS = "*/profile.py"


def default() -> Profile:
    found = profile(DEFAULT)
    assert found is not None
    return found


def profile(name: str, labs: Path | None = None) -> Profile | None:
    """Return the profile with this name, or None. `labs` is the folder whose labs may define it."""
    if (_FOLDER / f"{name}.py").is_file() and name.isidentifier():
        return _own(name)
    return next((found for path in _brought(labs) if (found := _of_lab(path)).name == name), None)


def names(labs: Path | None = None) -> list[str]:
    """Return the names of all profiles, labkit's own first."""
    own = sorted(path.stem for path in _FOLDER.glob("*.py") if path.stem != "__init__")
    return [*own, *(_of_lab(path).name for path in _brought(labs))]


def _brought(labs: Path | None) -> Iterator[Path]:
    return iter(sorted(labs.glob(_LABS)) if labs else [])


@cache
def _own(name: str) -> Profile:
    found: Profile = importlib.import_module(f"labkit.system.profiles.{name}").PROFILE
    return found


@cache
def _of_lab(path: Path) -> Profile:
    spec = importlib.util.spec_from_file_location(f"labkit_profile_{path.parent.name.replace('-', '_')}", path)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Profile = module.PROFILE
    return found
