"""The three verdicts, and what every command makes of them: a mark, a word, an exit code."""

from collections.abc import Iterable
from enum import Enum

from labkit.errors import ExitCode


class Verdict(Enum):
    """PASS, FAIL (the code is wrong), or UNKNOWN (nothing can be said about the code), which is never a pass."""

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
    """FAIL before UNKNOWN before PASS; UNKNOWN when there is none at all."""
    found = set(verdicts)
    return next((v for v in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS) if v in found), Verdict.UNKNOWN)
