"""labkit reset: empty the stores, and optionally restore the code, of one stack or of several in parallel."""

import fnmatch
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.errors import ExitCode, UserError
from labkit.stack import state
from labkit.terminal import say
from labkit.workspace import change_report, changes, current, learner_folder, progress
from labkit.workspace.changes import WantedFiles
from labkit.workspace.edits import source_for
from labkit.workspace.empty_stack import empty_stack
from labkit.workspace.progress import Progress

DATA, WORKSPACE, ALL = "data", "workspace", "all"
WILL_BE_LOST = {
    DATA: "all customers, orders and messages of {name}",
    WORKSPACE: "your progress in {folder}; your files there are saved, then replaced by the reference services",
    ALL: "the data directory of {name}, and your progress in {folder}; your files there are saved, then replaced",
}


def reset(stack_name: str, *, what: str, yes: bool) -> ExitCode:
    """Reset a stack. Data: empty tables, records and view, and restart the services. Workspace: restore the reference services and clear
    the progress. All: both, with a cold start of the servers. If interrupted, the next command finishes the reset."""
    stack = state.load(stack_name) if what == DATA else state.find(stack_name)
    space = current.workspace() if what != DATA else None
    lost = WILL_BE_LOST[what].format(name=stack_name, folder=space.folder if space else "")
    if not say.confirmed(f"This deletes {lost}. Continue?", yes=yes):
        return ExitCode.OK
    if space:
        change_report.show(changes.replace(space, WantedFiles(changes.REFERENCE), why=f"labkit reset --{what}"))
        aside = _forget_progress(space)
        say.line(f"Your progress starts over{f'; the old progress is saved as {aside}' if aside else ''}.")
    if what == WORKSPACE:
        say.line("Next: labkit labs")
        return ExitCode.OK
    source = space.folder if space else source_for(stack) if stack else None
    done = empty_stack(stack_name, source, f"labkit reset --{what}", cold=what == ALL)
    say.line(f"All stores are empty; ready in {done.seconds:.1f} s.")
    say.line("Next: labkit lab 1 check" if not space else "Next: labkit labs")
    return ExitCode.OK


def _forget_progress(space: learner_folder.Workspace) -> str | None:
    """Clear the progress. Return the name of the file that preserves it, or None if there was none."""
    if not progress.load(space).labs:
        return None
    aside = f"progress.until-{time.strftime('%Y%m%d-%H%M%S')}.json"
    with learner_folder.write_errors_explained(space.folder):
        paths.write(space.labkit_folder / aside, progress.path_of(space).read_text(encoding="utf-8"))
    progress.replace(space, Progress())
    return aside


# many stacks


@dataclass(frozen=True)
class Seat:
    """The outcome for one stack: a sentence that says what is wrong, or empty; the number of lab 1's checks that passed; the reset's
    seconds."""

    name: str
    seconds: float
    wrong: str = ""
    passed: int = 0


def reset_many(pattern: str, *, what: str, lab: int | None, yes: bool) -> ExitCode:
    """Reset all matching stacks of this host in parallel. Exit code 0 only if each of them then passes lab 1."""
    names = fnmatch.filter(state.all_names(), pattern)
    if not names:
        known = ", ".join(state.all_names()) or "none"
        raise UserError(f"No stack matches {pattern!r}; there are: {known}.", "labkit up --name seat-1", exit_code=ExitCode.USAGE)
    if not yes and not say.can_ask():
        raise UserError(f"There is no terminal to confirm the reset of {len(names)} stacks.", f"labkit reset --stack '{pattern}' --yes")
    form = f"--lab {lab}" if lab is not None else f"--{what}"
    if not say.confirmed(f"Reset {', '.join(names)} ({form})?", yes=yes):
        return ExitCode.OK
    begun, failed = time.monotonic(), list[str]()
    width = max(map(len, names))
    with ThreadPoolExecutor(len(names)) as pool:
        say.progress(f"Resetting {len(names)} stacks …")
        seats = list(pool.map(lambda name: _reset_one(name, form.split()), names))
        say.progress("Judging lab 1 of each …")
        reset_s = time.monotonic() - begun
        for seat in pool.map(_judge_one, seats):
            say.progress("")
            well = f"reset in {seat.seconds:.1f} s; lab 1: {seat.passed} passed"
            say.line(f"  {'✗' if seat.wrong else '✓'} {seat.name:{width}}  {seat.wrong or well}")
            failed += [seat.name] if seat.wrong else []
    judged_s = time.monotonic() - begun - reset_s
    say.line(f"\n{len(names)} stacks reset in {reset_s:.1f} s; {len(names) - len(failed)} pass lab 1, judged in {judged_s:.1f} s.")
    if failed:
        say.line(f"Next: labkit lab 1 check --name {failed[0]}, in the folder that its services run from")
    return ExitCode.FAIL if failed else ExitCode.OK


def _reset_one(name: str, form: Sequence[str]) -> Seat:
    """Reset one stack as its owner would: in a separate process, in the folder from which the stack's services run."""
    begun, source = time.monotonic(), state.load(name).source
    done = _labkit(name, source if source.is_dir() else paths.content(), "reset", *form, "--yes")
    wrong = f"not reset: {_first_line(done)}" if done.returncode else ""
    return Seat(name, time.monotonic() - begun, wrong)


def _judge_one(seat: Seat) -> Seat:
    if seat.wrong:
        return seat
    judged = _labkit(seat.name, paths.content(), "lab", "1", "check", "--json")  # outside a workspace: it is nobody's progress
    try:
        checks: list[dict[str, Any]] = json.loads(judged.stdout)["checks"]
    except (ValueError, KeyError):
        return replace(seat, wrong=f"reset; lab 1 was not judged: {_first_line(judged)}")
    wrong = [check for check in checks if check["verdict"] != "pass"]
    if not wrong:
        return replace(seat, passed=len(checks))
    stack, first = state.load(seat.name), wrong[0]
    own = ""
    if stack.source != paths.content():
        own = f" Its services run from {stack.source}; with --workspace it gets the reference services back."
    return replace(seat, wrong=f"reset; lab 1 does not pass: {first['id']} {first.get('sentence') or first['title']}{own}")


def _labkit(name: str, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run labkit in `folder`. `-P` keeps files in that folder from being imported as modules."""
    command = [sys.executable, "-P", "-m", "labkit", *words, "--name", name]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def _first_line(done: "subprocess.CompletedProcess[str]") -> str:
    said = (done.stderr or done.stdout).strip().splitlines()
    return said[0] if said else f"exit code {done.returncode}"
