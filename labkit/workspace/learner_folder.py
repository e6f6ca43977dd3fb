"""The learner's folder, made by `labkit init`. labkit writes `services/`, the files that a lab provides, and `.labkit/`:

    workspace.json   the stack that runs from this folder   manifest.json the current lab, and what labkit wrote for it
    progress.json    see progress.py                        snapshots/    saved work, see snapshots.py
    changing.json    a change of the files is in progress   lock          held by the command that changes the files

Everything else in the folder, above all notes.md, belongs to the learner.
"""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import UserError
from labkit.paths import OF_WORKSPACE

FORMAT = 1


@dataclass(frozen=True)
class Workspace:
    """A learner's folder. `stack` is the name of the stack that runs from it."""

    folder: Path
    stack: str

    @property
    def labkit_folder(self) -> Path:
        return self.folder / OF_WORKSPACE


def find(start: Path | None = None) -> Workspace | None:
    """Return the workspace that contains `start` (default: the working directory), or None. Raises UserError if it cannot be read."""
    folder = folder_of(start)
    return _read(folder) if folder else None


def folder_of(start: Path | None = None) -> Path | None:
    """Return the workspace's folder alone, without reading its contents."""
    try:
        start = (start or Path.cwd()).absolute()
    except FileNotFoundError:  # the working directory no longer exists
        return None
    return next((folder for folder in (start, *start.parents) if (folder / OF_WORKSPACE / "workspace.json").is_file()), None)


def _read(folder: Path) -> Workspace:
    from labkit import user_files

    path = folder / OF_WORKSPACE / "workspace.json"
    try:
        data = user_files.json_of(path)
        if data["format"] > FORMAT:
            raise UserError(f"{folder} is a workspace of a later labkit.", "install that labkit again")
        return Workspace(folder, str(data["stack"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise UserError(
            f"{path} cannot be read ({what}).", f"labkit init {shlex.quote(str(folder))}, which writes it again and keeps your files"
        ) from None


def write(space: Workspace) -> None:
    from labkit import paths

    with write_errors_explained(space.folder):
        paths.write(space.labkit_folder / "workspace.json", json.dumps({"format": FORMAT, "stack": space.stack}) + "\n")


@contextmanager
def write_errors_explained(folder: Path) -> Iterator[None]:
    """Turn a refusal of the file system into a UserError: the user can fix it."""
    try:
        yield
    except OSError as error:
        where = error.filename if error.filename is not None else folder
        message = f"{where} cannot be written: {error.strerror or error}. Nothing of yours was changed."
        raise UserError(message, f"make {folder} writable and see that its disk has room, then run the same command again") from None


@contextmanager
def changing(space: Workspace) -> Iterator[None]:
    """Hold the workspace's lock, so that only one command changes its files. Raises UserError if another command holds it."""
    import fcntl

    with write_errors_explained(space.folder), (space.labkit_folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"Another labkit command is changing the files of {space.folder}."
            raise UserError(message, "wait until it is done, or stop it") from None
        yield
