"""Loading the modules of a lab's folder, which are content and belong to no package."""

import importlib.util
from pathlib import Path
from types import ModuleType

from labkit.errors import UserError


def beside(file: str, name: str) -> ModuleType:
    """Return the module `name` from the folder of `file`."""
    return module(Path(file).with_name(f"{name}.py"))


def module(path: Path) -> ModuleType:
    """Load a module. Raises UserError if its file does not exist."""
    import sys

    name = f"labkit_{path.parent.name}_{path.stem}".replace("-", "_")
    if not path.is_file():
        raise UserError(f"{path.parent.name} has no {path.name}.", next_step="install labkit again")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, path
    assert spec.loader is not None, path
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found  # dataclasses look up their module here
    spec.loader.exec_module(found)
    return found
