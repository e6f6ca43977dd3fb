"""What labkit laid into a workspace last, `.labkit/laid.json`: the lab that it is at, and how the learner's edits are known."""

import json
from dataclasses import dataclass

from labkit.lab.workspace import Workspace


@dataclass(frozen=True)
class Laid:
    """The lab, the files beside the services that it brought, and the digest of all that was laid."""

    lab: int | None = None
    beside: tuple[str, ...] = ()
    digest: str = ""


def laid(space: Workspace) -> Laid:
    """When that cannot be read, all of it counts as the learner's work."""
    try:
        data = json.loads((space.kept / "laid.json").read_text())
        return Laid(data["lab"], tuple(map(str, data["beside"])), str(data["digest"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Laid()
