"""The three verdicts, each with the mark, the word and the exit code that all commands use."""

from collections.abc import Iterable
from enum import Enum

from labkit.errors import ExitCode


class Verdict(Enum):
    """PASS, FAIL (the code is wrong), or UNKNOWN (nothing can be said about the code; never a pass)."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"

    @property
    def mark(self) -> str:
        return {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.UNKNOWN: "?"}[self]

    @property
    def word(self) -> str:
        return {Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.UNKNOWN: "unknown"}[self]

    @property
    def exit_code(self) -> ExitCode:
        return {Verdict.PASS: ExitCode.OK, Verdict.FAIL: ExitCode.FAIL, Verdict.UNKNOWN: ExitCode.UNKNOWN}[self]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return FAIL if there is any, else UNKNOWN if there is any or there are no verdicts at all, else PASS."""
    found = set(verdicts)
    return next((v for v in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS) if v in found), Verdict.UNKNOWN)
