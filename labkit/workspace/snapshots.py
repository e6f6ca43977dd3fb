"""Work that labkit saves before it replaces it: `.labkit/snapshots/NAME/`, with the original files under `files/`.

A snapshot is built under a temporary name and then renamed, so a visible snapshot is always complete. labkit never changes or removes one.
"""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from labkit import paths, user_files
from labkit.catalog import trees
from labkit.catalog.trees import Tree
from labkit.errors import UserError
from labkit.workspace.learner_folder import Workspace


@dataclass(frozen=True)
class Snapshot:
    """Saved work. `lab` is the workspace's lab at that time, or None; `made` is in epoch seconds; `why` names the command that saved it."""

    name: str
    folder: Path
    lab: int | None
    made: float
    why: str
    digest: str

    def files(self) -> Tree:
        """Return the saved files. Raises UserError if they have changed since the snapshot was made."""
        found = {path.relative_to(self.folder / "files").as_posix(): path.read_bytes() for path in _files(self.folder / "files")}
        if trees.digest(found) != self.digest:
            message = f"The snapshot {self.name} has changed since labkit made it."
            raise UserError(message, f"copy what you need by hand from {self.folder / 'files'}")
        return found

    @property
    def when(self) -> str:
        return time.strftime("%d %b %H:%M:%S", time.localtime(self.made))


def keep(space: Workspace, tree: Tree, *, lab: int | None, why: str) -> Snapshot:
    """Save these files, unless an earlier snapshot of the same lab holds the same files. Return the snapshot."""
    digest = trees.digest(tree)
    for old in reversed(all_of(space)):
        if old.digest == digest and old.lab == lab:
            return old
    made = time.time()
    root = space.labkit_folder / "snapshots"
    name = _free_name(root, f"lab-{lab}" if lab is not None else "work", made)
    aside = root / f".{name}.{os.getpid()}"
    for path, content in tree.items():
        trees.put(aside / "files" / path, content)
    about = {"lab": lab, "made": made, "why": why, "digest": digest}
    paths.write(aside / "snapshot.json", json.dumps(about, indent=1))
    aside.rename(root / name)
    return Snapshot(name, root / name, lab, made, why, digest)


def _free_name(root: Path, stem: str, made: float) -> str:
    name = f"{stem}-{time.strftime('%Y%m%d-%H%M%S', time.localtime(made))}"
    names = [name, *(f"{name}-{n}" for n in range(2, 1000))]
    return next(name for name in names if not (root / name).exists())


def all_of(space: Workspace) -> list[Snapshot]:
    """Return the snapshots, oldest first. A snapshot with an unreadable description is skipped; its files stay."""
    found = []
    for path in (space.labkit_folder / "snapshots").glob("*/snapshot.json"):
        if path.parent.name.startswith("."):
            continue
        try:
            about = user_files.json_of(path)
            if not 0 <= about["made"] <= user_files.LATEST:
                continue
            found.append(
                Snapshot(path.parent.name, path.parent, about["lab"], float(about["made"]), str(about["why"]), str(about["digest"]))
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return sorted(found, key=lambda snapshot: (snapshot.made, snapshot.name))


def _files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]
