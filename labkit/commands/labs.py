"""labkit labs: which labs there are, how far the learner is, and what comes next. Fast: it reads only lab.yaml and progress files."""

import json

from labkit.errors import ExitCode
from labkit.terminal import say, screen
from labkit.workspace import lab_status, learner_folder, next_step, progress
from labkit.workspace.lab_status import LabStatus

MARKS = {lab_status.DONE: "✓", progress.AFTER_SOLUTION: "✓", progress.SKIPPED: "»", lab_status.STARTED: "…", lab_status.NOT_STARTED: " "}


def labs(*, as_json: bool) -> ExitCode:
    """List the labs. Outside a workspace, the list shows no progress."""
    space = learner_folder.find()
    known = progress.load(space)
    found = lab_status.of_all(known)
    if as_json:
        say.raw(json.dumps([_as_json(now) for now in found], indent=2))
        return ExitCode.OK
    progress_width = max(len(_progress(now)) for now in found)
    width = screen.room(max(len(now.lab.title) for now in found), (4, 7, progress_width), indent=0)
    for now in found:
        number, took = f"{MARKS[now.state]} {now.lab.number:2}", f"{now.lab.minutes:3} min"
        for line in screen.row([(number, 4), (now.lab.title, width), (took, 7), (_progress(now), progress_width)], indent=0):
            say.line(line)
    say.line(f"\nNext: {next_step.of_labs(found, space)}")
    return ExitCode.OK


def _progress(now: LabStatus) -> str:
    passed, of = now.counted
    match now.state:
        case lab_status.NOT_STARTED:
            return ""
        case lab_status.DONE:
            return "passed"
        case progress.AFTER_SOLUTION | progress.SKIPPED:
            return now.state
        case _:
            failing = f", {now.failing[0]} fails now" if now.failing else ""
            return f"{passed} of {of} passed{failing}"


def _as_json(now: LabStatus) -> dict[str, object]:
    lab, (passed, of) = now.lab, now.counted
    return {
        "number": lab.number,
        "title": lab.title,
        "minutes": lab.minutes,
        "state": now.state,
        "passed": passed,
        "of": of,
        "checks": now.checks,
        "failing": now.failing,
    }
