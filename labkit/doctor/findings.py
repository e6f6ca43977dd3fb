"""What the doctor finds: a sentence, how it stands, and for what is in the way the command that fixes it."""

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
    """`id` names it for programs (`docker.compose`). BAD is in the way of `labkit up`, NOTE is worth knowing and is not; UNKNOWN means
    that something which must be known could not be seen. `fix` is a command to paste; every BAD has one."""

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
    """The verdict on a fault that is in the way of one runtime only."""
    return BAD if in_the_way else NOTE
