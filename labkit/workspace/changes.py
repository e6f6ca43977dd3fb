"""Replacing a workspace's files with a lab's files, without ever losing work.

A change has four steps. labkit saves the current files as a snapshot, writes the target to `changing.json`, replaces the files one by one
(each atomically), and records the result in `manifest.json`. If a change is interrupted, the next command in the workspace resumes it from
`changing.json`, after saving any edits made since. A file is replaced only if its content is still the content that was saved.
"""

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from labkit import paths, user_files
from labkit.catalog import trees
from labkit.catalog.labs import find_lab
from labkit.catalog.trees import Tree
from labkit.errors import ExitCode, UserError
from labkit.faults import kill_points
from labkit.terminal import say
from labkit.workspace import manifest, snapshots
from labkit.workspace.learner_folder import Workspace, changing, write_errors_explained
from labkit.workspace.snapshots import Snapshot

START, SOLUTION, SNAPSHOT, REFERENCE = "start", "solution", "snapshot", "reference"
TRIES = 5
UNFINISHED = "changing.json"


@dataclass(frozen=True)
class WantedFiles:
    """What the files are to be replaced with: the starting point of `lab`, its solution, the snapshot `name`, or the reference services."""

    kind: str
    lab: int | None = None
    name: str = ""

    def tree(self, space: Workspace) -> Tree:
        match self.kind:
            case "start" if self.lab is not None:
                return trees.starting_point(find_lab(self.lab))
            case "solution" if self.lab is not None:
                return trees.solved(find_lab(self.lab))
            case "snapshot":
                return named(space, self.name).files()
            case _:
                return trees.reference()


@dataclass(frozen=True)
class ChangedFiles:
    """The result: the paths that were written or removed, and the snapshot of the earlier work, if there was any."""

    paths: tuple[str, ...]
    kept: Snapshot | None


def named(space: Workspace, name: str) -> Snapshot:
    """Return a snapshot by its name. Raises UserError if it does not exist."""
    for snapshot in snapshots.all_of(space):
        if snapshot.name == name:
            return snapshot
    raise UserError(f"There is no snapshot {name!r}.", "labkit lab 1 restore --list", exit_code=ExitCode.USAGE)


def current(space: Workspace) -> Tree:
    """Return the current state of the files that labkit would replace."""
    return trees.of_workspace(space.folder, manifest.read(space).beside)


def edited(space: Workspace) -> bool:
    """Return whether the files contain work that labkit did not put there."""
    return trees.digest(current(space)) != manifest.read(space).digest


def replace(space: Workspace, target: WantedFiles, *, why: str) -> ChangedFiles:
    """Replace the files with the target's. Raises UserError; even then no work is lost, and the next command resumes the change."""
    with changing(space), write_errors_explained(space.folder):
        since_interrupted = _finish(space)
        wanted = target.tree(space)
        now = _current(space, wanted)
        kept = snapshots.keep(space, now, lab=manifest.read(space).lab, why=why) if _is_work(space, now) else since_interrupted
        kill_points.reached("kept")
        data = {"kind": target.kind, "lab": target.lab, "name": target.name, "why": why}
        paths.write(space.labkit_folder / UNFINISHED, json.dumps(data))
        kill_points.reached("intended")
        return ChangedFiles(tuple(_replace(space, target, wanted, now, why)), kept)


def put_back(space: Workspace, path: str, *, why: str) -> ChangedFiles:
    """Put one file back as labkit last provided it, or as in the reference, after saving the current one. Raises UserError."""
    with changing(space), write_errors_explained(space.folder):
        _finish(space)
        lab = manifest.read(space).lab
        tree = WantedFiles(REFERENCE if lab is None else START, lab).tree(space)
        if path not in tree:
            raise UserError(f"labkit provides no file {path}.", "labkit lab 1 restore --list", exit_code=ExitCode.USAGE)
        file = space.folder / path
        kept = snapshots.keep(space, current(space), lab=lab, why=why) if file.is_file() and file.read_bytes() != tree[path] else None
        trees.put(file, tree[path])
        return ChangedFiles((path,), kept)


def finish(space: Workspace) -> None:
    """Resume an interrupted change and report it."""
    if (space.labkit_folder / UNFINISHED).exists():
        with changing(space), write_errors_explained(space.folder):
            _finish(space)


def _finish(space: Workspace) -> Snapshot | None:
    """Resume an interrupted change, if there is one. Return the snapshot of what was edited since, if anything was."""
    intention = space.labkit_folder / UNFINISHED
    if not intention.exists():
        return None
    why = "a change"
    try:
        data: dict[str, Any] = user_files.json_of(intention)
        why = str(data["why"])
        target = WantedFiles(data["kind"], data["lab"], data["name"])
        wanted = target.tree(space)
    except (ValueError, KeyError, TypeError, UserError) as error:
        kept = snapshots.keep(space, current(space), lab=manifest.read(space).lab, why=f"{why}, interrupted")
        intention.unlink()
        say.problem(f"`{why}` was interrupted and cannot be finished: {error}\nThe current files are saved as {kept.name}.")
        return kept
    now = _current(space, wanted)
    kept_too = snapshots.keep(space, now, lab=manifest.read(space).lab, why=f"{why}, interrupted") if _is_new(space, now, wanted) else None
    _replace(space, target, wanted, now, why)
    too = f" Your later edits are saved as {kept_too.name}." if kept_too else ""
    say.problem(f"`{why}` was interrupted; its file changes are finished now.{too}")
    return kept_too


def _current(space: Workspace, wanted: Mapping[str, bytes]) -> Tree:
    """Return all files that could be replaced or removed."""
    return trees.of_workspace(space.folder, {*manifest.read(space).beside, *(path for path in wanted if not trees.in_services(path))})


def _is_work(space: Workspace, now: Tree) -> bool:
    """Return whether `now` contains work that labkit did not put there. Files beside the services that labkit never wrote are the
    learner's."""
    return bool(now) and trees.digest(now) != manifest.read(space).digest


def _is_new(space: Workspace, now: Tree, wanted: Tree) -> bool:
    """After an interruption, return whether any file matches neither the target nor a version that labkit already has."""
    known: dict[str, set[bytes]] = {path: {content} for path, content in wanted.items()}
    was = manifest.read(space)
    for target in (WantedFiles(START, was.lab), WantedFiles(SOLUTION, was.lab), WantedFiles(REFERENCE)):
        if target.lab is not None or target.kind == REFERENCE:
            with suppress(UserError):
                for path, content in target.tree(space).items():
                    known.setdefault(path, set()).add(content)
    for snapshot in snapshots.all_of(space)[-2:]:
        with suppress(UserError):
            for path, content in snapshot.files().items():
                known.setdefault(path, set()).add(content)
    return any(content not in known.get(path, ()) for path, content in now.items())


def _replace(space: Workspace, target: WantedFiles, wanted: Tree, now: Tree, why: str) -> list[str]:
    """Replace the files and return the changed paths. Files saved by someone else in the meantime are saved as a snapshot first."""
    done: set[str] = set()
    for _ in range(TRIES):
        if _replaced(space, wanted, now, done):
            break
        now = _current(space, wanted)
        snapshots.keep(space, now, lab=manifest.read(space).lab, why=f"{why}, saved meanwhile")
    else:
        raise UserError(f"Another program keeps writing files of {space.folder}.", "stop it, then run the same command again")
    beside = tuple(path for path in wanted if not trees.in_services(path))
    digest = "" if target.kind == SNAPSHOT else trees.digest(wanted)  # restored work is the learner's own
    manifest.write(space, manifest.Manifest(target.lab, beside, digest))
    kill_points.reached("manifest")
    (space.labkit_folder / UNFINISHED).unlink(missing_ok=True)
    return sorted(done)


def _replaced(space: Workspace, wanted: Tree, now: Tree, done: set[str]) -> bool:
    """Replace files one by one. Return False as soon as a file has changed since `now` was read."""
    for path in trees.changed(now, wanted):
        file = space.folder / path
        if (file.read_bytes() if file.is_file() else None) != now.get(path):
            return False
        if path in wanted:
            trees.put(file, wanted[path])
        else:
            _remove(space, path)
        done.add(path)
        kill_points.reached("replacing")
    return True


def _remove(space: Workspace, path: str) -> None:
    """Remove a file, then each parent folder that holds nothing but compiled modules."""
    file = space.folder / path
    file.unlink(missing_ok=True)
    for folder in file.parents:
        if folder == space.folder or any(entry.name != "__pycache__" for entry in folder.iterdir()):
            return
        shutil.rmtree(folder)
