"""labkit lab N start, restore, reset and solution: commands that replace the learner's files. Each saves the earlier work first."""

import difflib
import time

from labkit import paths
from labkit.catalog import trees
from labkit.catalog.labs import Lab, find_lab
from labkit.errors import ExitCode, UserError
from labkit.stack import runtimes, state, stores
from labkit.terminal import say
from labkit.workspace import change_report, changes, current, manifest, progress, snapshots
from labkit.workspace.changes import WantedFiles
from labkit.workspace.empty_stack import empty_stack
from labkit.workspace.learner_folder import Workspace
from labkit.workspace.progress import Progress


def start(stack_name: str, number: int, *, yes: bool) -> ExitCode:
    """Put the workspace in the lab's initial state, on empty stores. Changes nothing if the workspace is already in that lab."""
    lab, space = find_lab(number), current.workspace()
    if manifest.read(space).lab == number and progress.load(space).lab(number).started is not None:
        say.line(f"You are already in lab {number}, so nothing was changed. To start over: labkit lab {number} reset")
        runs = (stack := state.find(stack_name)) is not None and runtimes.of_stack(stack).running()
        say.line(f"Next: labkit lab {number}" if runs else "Next: labkit up")
        return ExitCode.OK
    if (question := _at_stake(stack_name, space)) and not say.confirmed(question, yes=yes):
        return ExitCode.OK
    return _begin(stack_name, lab, f"labkit lab {number} start", space)


def _at_stake(stack_name: str, space: Workspace) -> str:
    """Return a question that names the data that starting the lab would destroy; empty if there is none."""
    stack = state.find(stack_name)
    if stack is None:
        return ""
    if stack.source != space.folder and (stack.source / paths.OF_WORKSPACE).is_dir():
        return (
            f"The stack {stack_name} belongs to the workspace {stack.source}. This deletes its customers, orders and messages, and runs "
            "its services from here. Take it over?"
        )
    return f"This deletes all customers, orders and messages of the stack {stack_name}. Start?" if stores.hold_anything(stack) else ""


def reset(stack_name: str, number: int, *, yes: bool) -> ExitCode:
    """Return code and data to the lab's initial state. Progress stays."""
    lab, space = find_lab(number), current.workspace()
    say.line(f"This replaces your files with those that lab {number} starts with; yours are saved and can be restored.")
    if not say.confirmed(f"It deletes all customers, orders and messages of {stack_name}. Continue?", yes=yes):
        return ExitCode.OK
    return _begin(stack_name, lab, f"labkit lab {number} reset", space)


def _begin(stack_name: str, lab: Lab, command: str, space: Workspace) -> ExitCode:
    change = changes.replace(space, WantedFiles(changes.START, lab.number), why=command)

    def started(progress: Progress) -> None:
        progress.lab(lab.number).started = time.time()

    progress.change(space, started)
    say.line(f"Lab {lab.number} · {lab.title} ({lab.minutes} min)\n")
    change_report.show(change)
    done = empty_stack(stack_name, space.folder, command, profile=state.profile_of(lab.profile))
    emptied = "All customers, orders and messages are deleted; the" if done.emptied else "The"
    say.line(f"{emptied} services run from {space.folder}. Ready in {done.seconds:.1f} s.")
    say.line(f"Next: labkit lab {lab.number}")
    return ExitCode.OK


def restore(number: int, name: str | None, *, listing: bool) -> ExitCode:
    """Bring saved work back, after saving the current files."""
    space = current.workspace()
    kept = [snapshot for snapshot in snapshots.all_of(space) if snapshot.lab == number or snapshot.lab is None]
    if listing:
        for snapshot in snapshots.all_of(space):
            at = f"lab {snapshot.lab}" if snapshot.lab is not None else "no lab"
            say.line(f"  {snapshot.name:28}  {snapshot.when}  {at:6}  saved by `{snapshot.why}`")
        say.line(f"Next: labkit lab {number} restore NAME" if kept else "Nothing is saved yet.")
        return ExitCode.OK
    if name is not None and "/" in name:
        return _restore_file(space, number, name)
    if name is None:
        own = [snapshot for snapshot in kept if snapshot.lab == number]
        if not own:
            raise UserError(f"No work of lab {number} is saved.", f"labkit lab {number} restore --list")
        now = trees.digest(changes.current(space))  # choose the latest snapshot that differs from the current files
        name = next((snapshot for snapshot in reversed(own) if snapshot.digest != now), own[-1]).name
    snapshot = changes.named(space, name)
    change = changes.replace(space, WantedFiles(changes.SNAPSHOT, snapshot.lab, name), why=f"labkit lab {number} restore")
    say.line(f"Your work of {snapshot.when} is back ({name}).")
    change_report.show(change)
    say.line(f"Next: labkit lab {snapshot.lab or number} check, which loads it")
    return ExitCode.OK


def _restore_file(space: Workspace, number: int, path: str) -> ExitCode:
    """Put one file back as the lab provided it."""
    change = changes.put_back(space, path, why=f"labkit lab {number} restore {path}")
    say.line(f"{path} is as the lab provides it.")
    if change.kept:
        change_report.show(change)
    say.line(f"Next: labkit lab {number} check, which loads it")
    return ExitCode.OK


def solution(stack_name: str, number: int, *, diff: bool, apply: bool, yes: bool) -> ExitCode:
    """Show the solution, show how the learner's files differ from it, or apply it. A later pass counts as passed after the solution."""
    lab, space = find_lab(number), current.workspace()
    if not trees.exercise(lab):
        say.line(f"Lab {number} has no code to write: its workspace starts complete.")
        return ExitCode.OK
    if apply:
        say.line(f"This replaces your files with the solution of lab {number}; yours are saved and can be restored.")
    question = f"Showing the solution is recorded: later passes in lab {number} count as passed after solution. Show it?"
    if not say.confirmed(question, yes=yes):
        return ExitCode.OK

    def seen(progress: Progress) -> None:
        record = progress.lab(number)
        record.solution = record.solution or time.time()

    progress.change(space, seen)
    if apply:
        change = changes.replace(space, WantedFiles(changes.SOLUTION, number), why=f"labkit lab {number} solution --apply")
        change_report.show(change)
        say.line(f"Next: labkit lab {number} check, which loads it")
    else:
        with say.paged():
            _print_diff(changes.current(space), lab) if diff else _print_files(lab)
    return ExitCode.OK


def _print_files(lab: Lab) -> None:
    solved = trees.solved(lab)
    for path in trees.exercise(lab):
        say.line(f"── {path}\n")
        say.raw(solved[path].decode(errors="replace") if path in solved else "(missing)\n")
    say.line(f"Next: labkit lab {lab.number} solution --diff, which shows what to change; or --apply")


def _print_diff(now: trees.Tree, lab: Lab) -> None:
    solved, found = trees.solved(lab), False
    for path in sorted({*trees.exercise(lab), *(p for p in trees.changed(now, solved) if p in now and p in solved)}):
        mine, theirs = (tree.get(path, b"").decode(errors="replace").splitlines() for tree in (now, solved))
        lines = list(difflib.unified_diff(mine, theirs, f"yours/{path}", f"solution/{path}", lineterm=""))
        found = found or bool(lines)
        for line in lines:
            say.raw(line)
    say.line("" if found else "Your files match the solution.")
    say.line(f"Next: labkit lab {lab.number} check" if not found else f"Next: labkit lab {lab.number} solution --apply; or edit, and check")
