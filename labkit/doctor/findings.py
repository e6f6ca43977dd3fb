"""The doctor's findings: a sentence, a verdict, and the command that fixes a problem."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labkit.errors import ExitCode

OK, NOTE, BAD, UNKNOWN = "ok", "note", "bad", "unknown"
MARKS = {OK: "✓", NOTE: "·", BAD: "✗", UNKNOWN: "?"}

READY, NOT_READY, CANNOT_TELL = "ready", "not ready", "cannot tell"
EXIT_CODES = {READY: ExitCode.OK, NOT_READY: ExitCode.FAIL, CANNOT_TELL: ExitCode.UNKNOWN}


@dataclass(frozen=True)
class Finding:
    """`id` is the name for programs (`docker.compose`). BAD prevents `labkit up`; NOTE is worth knowing but harmless; UNKNOWN is
    required information that the doctor could not get. `fix` is a command to paste; every BAD has one."""

    id: str
    verdict: str
    sentence: str
    fix: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.verdict == BAD and not self.fix:
            raise ValueError(f"{self.id} is in the way, and nothing says what fixes it")


def overall(findings: Iterable[Finding]) -> str:
    verdicts = {finding.verdict for finding in findings}
    return NOT_READY if BAD in verdicts else CANNOT_TELL if UNKNOWN in verdicts else READY


def unless(in_the_way: bool) -> str:
    """Return the verdict on a problem that affects one runtime only: BAD if `in_the_way`, otherwise NOTE."""
    return BAD if in_the_way else NOTE
