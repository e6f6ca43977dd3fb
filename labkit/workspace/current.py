"""The workspace that contains the working directory."""

from pathlib import Path

from labkit.errors import UserError
from labkit.workspace import changes, learner_folder
from labkit.workspace.learner_folder import Workspace


def workspace_or_none() -> Workspace | None:
    """Return the workspace, or None outside of one. An interrupted change of its files is finished first."""
    found = learner_folder.find()
    if found and (found.labkit_folder / changes.UNFINISHED).exists():
        changes.finish(found)
    return found


def workspace() -> Workspace:
    """Return the workspace, like workspace_or_none. Raises UserError outside of one."""
    found = workspace_or_none()
    if found is None:
        message = f"You are not in a workspace ({Path.cwd()})."
        raise UserError(message, "labkit init workshop, then cd workshop; or cd into the one that you have")
    return found
