"""What labkit put into a workspace last, `.labkit/laid.json`: the lab that it is at, and how the learner's edits are known."""

from dataclasses import dataclass
from pathlib import PurePath

from labkit import user_files
from labkit.workspace.learner_folder import Workspace


@dataclass(frozen=True)
class Manifest:
    """The lab, the files beside the services that it brought, and the digest of all that labkit put there."""

    lab: int | None = None
    beside: tuple[str, ...] = ()
    digest: str = ""


def manifest_of(space: Workspace) -> Manifest:
    """When that cannot be read, all of it counts as the learner's work."""
    try:
        data = user_files.json_of(space.kept / "laid.json")
        beside = tuple(map(str, data["beside"]))
        if any(PurePath(path).is_absolute() or ".." in PurePath(path).parts for path in beside):
            return Manifest()  # not written by labkit, and what is outside is not its affair
        return Manifest(None if data["lab"] is None else int(data["lab"]), beside, str(data["digest"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Manifest()
