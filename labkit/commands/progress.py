"""labkit progress, report and jump: show a learner's progress, move it to another workspace, or skip labs."""

import json
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from labkit.catalog.labs import all_labs, find_lab
from labkit.errors import ExitCode, UserError
from labkit.stack.state import profile_of
from labkit.terminal import say
from labkit.workspace import change_report, changes, current, lab_status, learner_folder, progress
from labkit.workspace.changes import WantedFiles
from labkit.workspace.empty_stack import empty_stack
from labkit.workspace.lab_status import LabStatus
from labkit.workspace.progress import AFTER_SOLUTION, PASSED, SKIPPED, CheckRecord, Progress


def export(file: Path) -> ExitCode:
    """Write the progress to one file, for import into another workspace."""
    space = current.workspace()
    found = progress.load(space)
    with learner_folder.write_errors_explained(file.parent):
        from labkit import paths

        paths.write(file.absolute(), json.dumps(msgspec.to_builtins(found) | {"format": progress.FORMAT}, indent=1) + "\n")
    say.line(f"Your progress is in {file}. Your code is not: copy the workspace folder, or its services, too.")
    say.line(f"Next: labkit progress import {shlex.quote(file.name)}, in another workspace")
    return ExitCode.OK


def load(file: Path, *, yes: bool) -> ExitCode:
    """Merge the progress that another workspace exported. A check that passed in either workspace counts as passed."""
    space = current.workspace()
    try:
        theirs = progress.read(file)
    except FileNotFoundError:
        raise UserError(f"There is no file {file}.", "labkit progress export FILE makes one", exit_code=ExitCode.USAGE) from None
    except ValueError as error:
        raise UserError(f"{file} is not a progress file of labkit: {error}.", "labkit progress export FILE, again") from None
    count = sum(check.state != "" for lab in theirs.labs.values() for check in lab.checks.values())
    if not say.confirmed(f"Merge {count} checks of {len(theirs.labs)} labs into {space.folder}?", yes=yes):
        return ExitCode.OK
    progress.change(space, lambda ours: merge(ours, theirs))
    say.line(f"Merged: {count} checks of {len(theirs.labs)} labs.")
    say.line("Next: labkit labs")
    return ExitCode.OK


_RANK = {"": 0, SKIPPED: 1, AFTER_SOLUTION: 2, PASSED: 3}


def merge(ours: Progress, theirs: Progress) -> None:
    """Merge `theirs` into `ours`: the better state of each check, the higher hint count, the earlier times, and our predictions before
    theirs."""
    for number, lab in theirs.labs.items():
        own = ours.labs.setdefault(number, progress.LabRecord())
        for name in ("started", "solution", "skipped"):
            times = [t for t in (getattr(own, name), getattr(lab, name)) if t is not None]
            setattr(own, name, min(times) if times else None)
        for check, record in lab.checks.items():
            had = own.checks.get(check)
            if had is None or _RANK.get(record.state, 0) > _RANK.get(had.state, 0):
                own.checks[check] = record
        for step, level in lab.hints.items():
            own.hints[step] = max(level, own.hints.get(step, 0))
        for step, predicted in lab.predictions.items():
            own.predictions.setdefault(step, predicted)
        for step, when in lab.injected.items():
            own.injected.setdefault(step, when)


def report(*, as_json: bool) -> ExitCode:
    """Print every lab and check: state, time, tries, hints, predictions, and the last failure of an open check."""
    space = current.workspace()
    known = progress.load(space)
    found = lab_status.of_all(known)
    strange = sorted(known.labs.keys() - {str(now.lab.number) for now in found}, key=lambda n: (len(n), n))
    if as_json:
        say.raw(json.dumps({"workspace": str(space.folder), "labs": [_lab(now) for now in found], "unknown": strange}, indent=2))
        return ExitCode.OK
    with say.paged():
        _show(found, strange)
    return ExitCode.OK


def _show(found: Sequence[LabStatus], strange: Sequence[str]) -> None:
    for now in found:
        passed, of = now.counted
        say.line(f"Lab {now.lab.number} · {now.lab.title}: {now.state}, {passed} of {of} checks passed")
        for check, state in now.checks.items():
            if line := _line(now, check, state):
                say.line(f"  {line}")
    for number in strange:
        say.line(f"Lab {number}: this labkit does not have it; its progress is preserved.")
    say.line("Next: labkit labs")


def _line(now: LabStatus, check: str, state: str) -> str:
    record, lab = now.record.checks.get(check, CheckRecord()), now.record
    facts = [state if state != lab_status.OPEN else "open"]
    if record.when:
        facts.append(time.strftime("%d %b %H:%M", time.localtime(record.when)))
    if record.tries:
        facts.append(f"{record.tries} tries" if record.tries > 1 else "1 try")
    if hints := lab.hints.get(check):
        facts.append(f"{hints} hint{'s' if hints > 1 else ''}")
    if predicted := lab.predictions.get(check):
        facts.append("predicted right" if predicted.right else "predicted wrong")
    untouched = len(facts) == 1 and state in (lab_status.OPEN, lab_status.GIVEN)
    failure = f"\n       last failure: {record.failure.sentence}" if record.failure and state == lab_status.OPEN else ""
    return "" if untouched else f"{check:5} {', '.join(facts)}{failure}"


def _lab(now: LabStatus) -> dict[str, Any]:
    passed, of = now.counted
    record = now.record
    return {
        "number": now.lab.number,
        "title": now.lab.title,
        "state": now.state,
        "passed": passed,
        "of": of,
        "started": record.started,
        "solution": record.solution,
        "checks": {
            check: {
                "state": state,
                "when": found.when,
                "last": found.last,
                "tries": found.tries,
                "hints": record.hints.get(check, 0),
                "predicted_right": record.predictions[check].right if check in record.predictions else None,
                "failure": msgspec.to_builtins(found.failure),
            }
            for check, state in now.checks.items()
            for found in [record.checks.get(check, CheckRecord())]
        },
    }


def jump(stack_name: str, number: int, *, yes: bool) -> ExitCode:
    """Start lab `number` as if all earlier labs were done: their open checks count as skipped."""
    lab, space, command = find_lab(number), current.workspace(), f"labkit jump {number}"
    before = [other for other in all_labs() if other.number < number]
    say.line(f"This replaces your files with those that lab {number} starts with; yours are saved and can be restored.")
    question = f"It deletes all customers, orders and messages of {stack_name}; open labs before {number} count as skipped. Continue?"
    if not say.confirmed(question, yes=yes):
        return ExitCode.OK
    change = changes.replace(space, WantedFiles(changes.START, number), why=command)

    def skip(found: Progress) -> None:
        for other in before:
            record = found.lab(other.number)
            for check in lab_status.check_ids(other):
                known = record.checks.setdefault(check, CheckRecord())
                if not known.state and check not in other.given:
                    known.state, known.when, record.skipped = SKIPPED, time.time(), time.time()
        found.lab(number).started = time.time()

    progress.change(space, skip)
    change_report.show(change)
    done = empty_stack(stack_name, space.folder, command, profile=profile_of(lab.profile))
    skipped = ", ".join(str(other.number) for other in before)
    say.line(f"Lab {number} · {lab.title}: ready in {done.seconds:.1f} s{f'; skipped: {skipped}' if skipped else ''}.")
    say.line(f"Next: labkit lab {number}")
    return ExitCode.OK
