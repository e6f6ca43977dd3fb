"""The learner's folder, made by `labkit init`: an editable copy of the services, notes, and in `.labkit/` what labkit keeps about it."""

import json
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import UserError

KEPT = ".labkit"
FORMAT = 1


@dataclass(frozen=True)
class Workspace:
    """A learner's folder; `stack` is the name of the stack that runs from it."""

    folder: Path
    stack: str

    @property
    def kept(self) -> Path:
        return self.folder / KEPT


def find(start: Path | None = None) -> Workspace | None:
    """The workspace that `start` (else the working directory) is in, or None. Raises UserError for one that cannot be read."""
    start = (start or Path.cwd()).absolute()
    for folder in (start, *start.parents):
        if (folder / KEPT / "workspace.json").is_file():
            return _read(folder)
    return None


def _read(folder: Path) -> Workspace:
    path = folder / KEPT / "workspace.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] > FORMAT:
            raise UserError(f"{folder} is a workspace of a later labkit.", "install that labkit again")
        return Workspace(folder, str(data["stack"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read: {error}.", f"labkit init {folder}, which writes it anew and keeps your files") from None
