"""labkit init: make the learner's folder."""

import shlex
from pathlib import Path

from labkit import paths
from labkit.catalog import trees
from labkit.errors import ExitCode, UserError
from labkit.terminal import say
from labkit.workspace import changes, learner_folder, manifest
from labkit.workspace.learner_folder import Workspace, write_errors_explained

NOTES = """# Notes

Yours alone: labkit never touches this file. What did you expect, what happened, what does the trace say?
"""


def init(folder: Path, stack_name: str) -> ExitCode:
    """Make a workspace: an editable copy of the services, a notes file, and labkit's own files. In an existing workspace, repair
    labkit's own files and leave all others unchanged."""
    folder = folder.expanduser().absolute()
    space = Workspace(folder, stack_name)
    if (folder / paths.OF_WORKSPACE / "workspace.json").exists() or manifest.path_of(space).exists():
        return _again(folder, stack_name)
    _refuse(folder)
    with write_errors_explained(folder):
        (folder / paths.OF_WORKSPACE).mkdir(parents=True, exist_ok=True)
        reference = trees.reference()
        for path, content in reference.items():
            trees.put(folder / path, content)
        trees.put(folder / ".gitignore", b"__pycache__/\n")
        if not (folder / "notes.md").exists():
            trees.put(folder / "notes.md", NOTES.encode())
        manifest.write(space, manifest.Manifest(digest=trees.digest(reference)))
    learner_folder.write(space)  # must be last: if init is interrupted earlier, the folder is not yet a workspace and init can run again
    say.line(f"{folder} is your workspace: edit services/, and write notes in notes.md.")
    if stack_name != "default":
        say.line(f"Commands in this folder use the stack {stack_name}.")
    say.line(f"Next: cd {_shown(folder)}, then labkit lab 1 start")
    return ExitCode.OK


def _again(folder: Path, stack_name: str) -> ExitCode:
    try:
        found = learner_folder.find(folder)
    except UserError:
        found = None
    if found is None:
        learner_folder.write(Workspace(folder, stack_name))
        say.line(f"{folder} is your workspace again; none of its files was touched.")
    else:
        changes.finish(found)
        say.line(f"{folder} is already a workspace; none of its files was touched.")
    say.line(f"Next: cd {_shown(folder)}, then labkit labs")
    return ExitCode.OK


def _refuse(folder: Path) -> None:
    """Raise UserError if no workspace can be made in this folder."""
    around = learner_folder.folder_of(folder)
    if around:
        raise UserError(f"{folder} is inside the workspace {around}.", f"cd {shlex.quote(str(around))}; or labkit init elsewhere")
    if folder.is_file():
        raise UserError(f"{folder} is a file.", "labkit init workshop")
    if not folder.is_dir() or _begun_before(folder):
        return
    theirs = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
    if theirs:
        raise UserError(f"{folder} is not empty: it has {theirs[0]}.", "labkit init workshop, which makes a folder of its own")


def _begun_before(folder: Path) -> bool:
    """Return whether an interrupted init left this folder behind. If so, it contains nothing that a person wrote."""
    if not (folder / paths.OF_WORKSPACE).is_dir():
        return False
    reference, found = trees.reference(), trees.of_workspace(folder, ())
    known = {"services", "notes.md", paths.OF_WORKSPACE, ".gitignore"}
    return all(reference.get(path) == content for path, content in found.items()) and {e.name for e in folder.iterdir()} <= known


def _shown(folder: Path) -> str:
    here = Path.cwd()
    return shlex.quote(str(folder.relative_to(here)) if folder.is_relative_to(here) and folder != here else str(folder))
