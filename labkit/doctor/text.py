"""An examination as text."""

from collections.abc import Iterator

from labkit.doctor.examination import Examination
from labkit.doctor.findings import BAD, MARKS, NOT_READY, OK, READY, UNKNOWN, Finding
from labkit.stack import stack_names
from labkit.stack.runtime import DOCKER, NATIVE

SPOKEN = {DOCKER: "in containers (Docker)", NATIVE: "as processes on this machine"}


def lines(examination: Examination) -> Iterator[str]:
    """Yield every finding under its topic, then the conclusion."""
    for topic, found in examination.topics.items():
        if found:
            yield topic
            for finding in found:
                yield from _finding(finding)
            yield ""
    yield from conclusion(examination)


def troubles(examination: Examination) -> Iterator[str]:
    """Yield only the findings that are bad or unknown."""
    for finding in examination.findings:
        if finding.verdict in (BAD, UNKNOWN):
            yield from _finding(finding)


def _finding(finding: Finding) -> Iterator[str]:
    yield f"  {MARKS[finding.verdict]} {finding.sentence}"
    if finding.fix and finding.verdict != OK:
        yield f"    → {finding.fix}"


def conclusion(examination: Examination) -> Iterator[str]:
    option = stack_names.named(examination.subject.name)
    bad = [finding for finding in examination.findings if finding.verdict == BAD]
    unknown = [finding for finding in examination.findings if finding.verdict == UNKNOWN]
    if examination.verdict == READY:
        choice = examination.subject.choice
        assert choice is not None, "without a runtime something is in the way"
        running = examination.subject.running
        yield f"Ready. {choice.why}" if not running else f"Ready. The stack runs {SPOKEN[choice.runtime]}."
        yield f"Next: labkit up{option}" if len(running) < len(examination.subject.profile.components) else "Next: labkit labs"
    elif examination.verdict == NOT_READY:
        yield f"Not ready: {_things(len(bad))} in the way."
        yield f"Next: {bad[0].fix}"
    else:
        yield f"Cannot tell: {_things(len(unknown))} unknown."
        yield f"Next: {unknown[0].fix or 'labkit support FILE'}"


def _things(count: int) -> str:
    return "one thing is" if count == 1 else f"{count} things are"
