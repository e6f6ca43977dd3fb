"""labkit reset: empty the stores, or put code back too; of one stack, or of many side by side."""

import fnmatch
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from labkit import paths, say
from labkit.commands import lab_files
from labkit.errors import ExitCode, UserError
from labkit.lab import laying, progress, workspace
from labkit.lab.fresh import fresh
from labkit.lab.laying import Target
from labkit.lab.progress import Progress
from labkit.lab.taken_over import source_for
from labkit.stack import state
from labkit.stack.model import Stack

DATA, WORKSPACE, ALL = "data", "workspace", "all"
WILL_BE_LOST = {
    DATA: "all customers, orders and messages of {name}",
    WORKSPACE: "your progress in {folder}; your files there are replaced by the reference services, and kept",
    ALL: "the whole data directory of {name}, and your progress in {folder}; your files there are replaced, and kept",
}


def reset(stack_name: str, *, what: str, yes: bool) -> ExitCode:
    """Data: tables, records, view, and the services start again on empty stores. Workspace: the reference services, no progress. All: both,
    and the servers start cold. Interrupted, the next command finishes it."""
    stack = state.load(stack_name) if what == DATA else state.find(stack_name)
    space = workspace.here() if what != DATA else None
    lost = WILL_BE_LOST[what].format(name=stack_name, folder=space.folder if space else "")
    if not lab_files.agreed(f"Throw away {lost}?", yes=yes):
        return ExitCode.OK
    if space:
        lab_files.tell(laying.lay(space, Target(laying.REFERENCE), why=f"labkit reset --{what}"))
        aside = _forget_progress(space)
        say.line(f"Your progress begins anew{f'; the old one is kept as {aside}' if aside else ''}.")
    if what == WORKSPACE:
        say.line("Next: labkit labs")
        return ExitCode.OK
    source = space.folder if space else source_for(stack) if stack else None
    done = fresh(stack_name, source, f"labkit reset --{what}", cold=what == ALL)
    say.line(f"All stores are empty; ready in {done.seconds:.1f} s.")
    say.line("Next: labkit lab 1 check" if not space else "Next: labkit labs")
    return ExitCode.OK


def _forget_progress(space: workspace.Workspace) -> str | None:
    """The name of the file that keeps it, if there was any."""
    if not progress.load(space).labs:
        return None
    aside = f"progress.until-{time.strftime('%Y%m%d-%H%M%S')}.json"
    with workspace.told_when_refused(space.folder):
        paths.write(space.kept / aside, progress.path_of(space).read_text(encoding="utf-8"))
    progress.replace(space, Progress())
    return aside


# many stacks


@dataclass(frozen=True)
class Seat:
    """One stack's outcome: `wrong` is what is wrong, in a sentence; seconds until it was reset, and until lab 1 was judged."""

    name: str
    reset_s: float
    total_s: float
    passed: int = 0
    wrong: str = ""


def reset_many(pattern: str, *, what: str, lab: int | None, yes: bool) -> ExitCode:
    """Each matching stack of this host, side by side. Exit code 0 only if each then passes lab 1."""
    names = fnmatch.filter(state.all_names(), pattern)
    if not names:
        known = ", ".join(state.all_names()) or "none"
        raise UserError(f"No stack is called {pattern!r}; there are: {known}.", "labkit up --name seat-1", exit_code=ExitCode.USAGE)
    if not yes and not say.can_ask():
        raise UserError(f"{len(names)} stacks are to be reset, and nobody can be asked.", f"labkit reset --stack '{pattern}' --yes")
    form = f"--lab {lab}" if lab is not None else f"--{what}"
    if not lab_files.agreed(f"Reset {', '.join(names)} ({form})?", yes=yes):
        return ExitCode.OK
    begun = time.monotonic()
    width = max(map(len, names))
    failed = 0
    with ThreadPoolExecutor(len(names)) as pool:
        for seat in pool.map(lambda name: _seat(name, form.split()), names):
            failed += bool(seat.wrong)
            mark = "✗" if seat.wrong else "✓"
            well = f"reset in {seat.reset_s:.1f} s, lab 1: {seat.passed} passed"
            say.line(f"  {mark} {seat.name:{width}}  {seat.wrong or well}  ({seat.total_s:.1f} s)")
    say.line(f"\n{len(names) - failed} of {len(names)} stacks pass lab 1, in {time.monotonic() - begun:.1f} s.")
    if failed:
        say.line(f"Next: labkit lab 1 check --name {names[0]}, from the folder that its services run from")
    return ExitCode.FAIL if failed else ExitCode.OK


def _seat(name: str, form: Sequence[str]) -> Seat:
    """In processes of their own, from the folder that the stack's services run from: as its owner would do it."""
    begun = time.monotonic()
    stack = state.find(name)
    if stack is None:
        return Seat(name, 0.0, 0.0, wrong="it is gone")
    done = _labkit(stack, "reset", *form, "--yes", "--name", name)
    reset_s = time.monotonic() - begun
    if done.returncode:
        return Seat(name, reset_s, reset_s, wrong=f"not reset: {_first_line(done)}")
    judged = _labkit(stack, "lab", "1", "check", "--json", "--name", name)
    total = time.monotonic() - begun
    try:
        checks: list[dict[str, Any]] = json.loads(judged.stdout)["checks"]
    except (ValueError, KeyError):
        return Seat(name, reset_s, total, wrong=f"reset, and lab 1 was not judged: {_first_line(judged)}")
    wrong = [check for check in checks if check["verdict"] != "pass"]
    if not wrong:
        return Seat(name, reset_s, total, passed=len(checks))
    first = wrong[0]
    sentence = f"reset, and lab 1 does not pass: {first['id']} {first.get('sentence') or first['title']}"
    own = "" if stack.source == paths.content() else f" Its services run from {stack.source}; --workspace or --all puts them back."
    return Seat(name, reset_s, total, wrong=sentence + own)


def _labkit(stack: Stack, *words: str) -> "subprocess.CompletedProcess[str]":
    folder = stack.source if stack.source.is_dir() else paths.content()
    command = [sys.executable, "-m", "labkit", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def _first_line(done: "subprocess.CompletedProcess[str]") -> str:
    said = (done.stderr or done.stdout).strip().splitlines()
    return said[0] if said else f"exit code {done.returncode}"
