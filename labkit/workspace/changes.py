"""Replacing a workspace's files by a lab's, without ever losing what was there.

What is there is kept as a snapshot first; then `changing.json` says what the files are to become; then they are replaced one by one, each
in one step; then `laid.json` says what they are. Killed anywhere in between, the next command in the workspace goes on from `changing.json`
and keeps first what was edited since. A file is only ever replaced while it is as it was kept.
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
from labkit.workspace import snapshots
from labkit.workspace.learner_folder import Workspace, changing, told_when_refused
from labkit.workspace.manifest import manifest_of
from labkit.workspace.snapshots import Snapshot

START, SOLUTION, SNAPSHOT, REFERENCE = "start", "solution", "snapshot", "reference"
TRIES = 5
UNFINISHED = "changing.json"


@dataclass(frozen=True)
class Target:
    """What the files are to become: where `lab` starts, its solution, the snapshot `name`, or the reference services."""

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
class Change:
    """What was done: the paths that were written or removed, and where the earlier work is, if there was any."""

    paths: tuple[str, ...]
    kept: Snapshot | None


def named(space: Workspace, name: str) -> Snapshot:
    """Raises UserError for a snapshot that is not there."""
    for snapshot in snapshots.all_of(space):
        if snapshot.name == name:
            return snapshot
    raise UserError(f"There is no snapshot {name!r}.", "labkit lab 1 restore --list", exit_code=ExitCode.USAGE)


def current(space: Workspace) -> Tree:
    """The files that labkit would replace, as they are now."""
    return trees.of_workspace(space.folder, manifest_of(space).beside)


def edited(space: Workspace) -> bool:
    """Is there work that labkit did not put there itself?"""
    return trees.digest(current(space)) != manifest_of(space).digest


def replace(space: Workspace, target: Target, *, why: str) -> Change:
    """Make the files what the target says. Raises UserError; nothing is lost then, and the next command goes on."""
    with changing(space), told_when_refused(space.folder):
        since_interrupted = _finish(space)
        wanted = target.tree(space)
        now = _current(space, wanted)
        kept = snapshots.keep(space, now, lab=manifest_of(space).lab, why=why) if _is_work(space, now) else since_interrupted
        kill_points.reached("kept")
        data = {"kind": target.kind, "lab": target.lab, "name": target.name, "why": why}
        paths.write(space.kept / UNFINISHED, json.dumps(data))
        kill_points.reached("intended")
        return Change(tuple(_replace(space, target, wanted, now, why)), kept)


def put_back(space: Workspace, path: str, *, why: str) -> Change:
    """One file as labkit put it there last, or as the reference has it. What was in its place is kept first. Raises UserError."""
    with changing(space), told_when_refused(space.folder):
        _finish(space)
        lab = manifest_of(space).lab
        tree = Target(REFERENCE if lab is None else START, lab).tree(space)
        if path not in tree:
            raise UserError(f"labkit brought no file {path}.", "labkit lab 1 restore --list", exit_code=ExitCode.USAGE)
        file = space.folder / path
        kept = snapshots.keep(space, current(space), lab=lab, why=why) if file.is_file() and file.read_bytes() != tree[path] else None
        trees.put(file, tree[path])
        return Change((path,), kept)


def finish(space: Workspace) -> None:
    """Go on with a change that was interrupted, and say so."""
    if (space.kept / UNFINISHED).exists():
        with changing(space), told_when_refused(space.folder):
            _finish(space)


def _finish(space: Workspace) -> Snapshot | None:
    """The snapshot of what was edited since the interruption, if anything was."""
    intention = space.kept / UNFINISHED
    if not intention.exists():
        return None
    why = "a change"
    try:
        data: dict[str, Any] = user_files.json_of(intention)
        why = str(data["why"])
        target = Target(data["kind"], data["lab"], data["name"])
        wanted = target.tree(space)
    except (ValueError, KeyError, TypeError, UserError) as error:
        kept = snapshots.keep(space, current(space), lab=manifest_of(space).lab, why=f"{why}, interrupted")
        intention.unlink()
        say.problem(f"`{why}` was interrupted and cannot be finished: {error}\nThe files as they are were kept as {kept.name}.")
        return kept
    now = _current(space, wanted)
    kept_too = snapshots.keep(space, now, lab=manifest_of(space).lab, why=f"{why}, interrupted") if _is_new(space, now, wanted) else None
    _replace(space, target, wanted, now, why)
    too = f" What you edited since is kept as {kept_too.name}." if kept_too else ""
    say.problem(f"`{why}` was interrupted; its change of the files is finished now.{too}")
    return kept_too


def _current(space: Workspace, wanted: Mapping[str, bytes]) -> Tree:
    """All that could be replaced or removed."""
    return trees.of_workspace(space.folder, {*manifest_of(space).beside, *(path for path in wanted if not trees.in_services(path))})


def _is_work(space: Workspace, now: Tree) -> bool:
    """Is it anything but what labkit put there? Files beside the services that labkit never put there are the learner's."""
    return bool(now) and trees.digest(now) != manifest_of(space).digest


def _is_new(space: Workspace, now: Tree, wanted: Tree) -> bool:
    """After an interruption: is there any file that is neither as it is to be nor as labkit has it?"""
    known: dict[str, set[bytes]] = {path: {content} for path, content in wanted.items()}
    was = manifest_of(space)
    for target in (Target(START, was.lab), Target(SOLUTION, was.lab), Target(REFERENCE)):
        if target.lab is not None or target.kind == REFERENCE:
            with suppress(UserError):
                for path, content in target.tree(space).items():
                    known.setdefault(path, set()).add(content)
    for snapshot in snapshots.all_of(space)[-2:]:
        with suppress(UserError):
            for path, content in snapshot.files().items():
                known.setdefault(path, set()).add(content)
    return any(content not in known.get(path, ()) for path, content in now.items())


def _replace(space: Workspace, target: Target, wanted: Tree, now: Tree, why: str) -> list[str]:
    """The paths that were changed. What somebody saves while this goes on is kept first."""
    done: set[str] = set()
    for _ in range(TRIES):
        if _replaced(space, wanted, now, done):
            break
        now = _current(space, wanted)
        snapshots.keep(space, now, lab=manifest_of(space).lab, why=f"{why}, saved meanwhile")
    else:
        raise UserError(f"Something keeps writing the files of {space.folder}.", "stop it, then the same command again")
    beside = tuple(path for path in wanted if not trees.in_services(path))
    digest = "" if target.kind == SNAPSHOT else trees.digest(wanted)  # what was restored is the learner's own
    paths.write(space.kept / "laid.json", json.dumps({"lab": target.lab, "beside": beside, "digest": digest}))
    kill_points.reached("laid")
    (space.kept / UNFINISHED).unlink(missing_ok=True)
    return sorted(done)


def _replaced(space: Workspace, wanted: Tree, now: Tree, done: set[str]) -> bool:
    """False as soon as a file is not as it was a moment ago."""
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
    """And the folders that hold nothing but compiled modules then."""
    file = space.folder / path
    file.unlink(missing_ok=True)
    for folder in file.parents:
        if folder == space.folder or any(entry.name != "__pycache__" for entry in folder.iterdir()):
            return
        shutil.rmtree(folder)
