"""What labkit last put into a workspace, `.labkit/manifest.json`: the current lab, and the digest that reveals the learner's edits."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath

from labkit import paths, user_files
from labkit.workspace.learner_folder import Workspace


@dataclass(frozen=True)
class Manifest:
    """The lab, the files that it placed beside the services, and the digest of all files that labkit wrote."""

    lab: int | None = None
    beside: tuple[str, ...] = ()
    digest: str = ""


def path_of(space: Workspace) -> Path:
    return space.labkit_folder / "manifest.json"


def write(space: Workspace, manifest: Manifest) -> None:
    paths.write(space.labkit_folder / "manifest.json", json.dumps(asdict(manifest)))


def read(space: Workspace) -> Manifest:
    """Return the workspace's manifest. If it cannot be read, all files count as the learner's work."""
    try:
        data = user_files.json_of(path_of(space))
        beside = tuple(map(str, data["beside"]))
        if any(PurePath(path).is_absolute() or ".." in PurePath(path).parts for path in beside):
            return Manifest()  # labkit does not write such paths and must not touch files outside the workspace
        return Manifest(None if data["lab"] is None else int(data["lab"]), beside, str(data["digest"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Manifest()
