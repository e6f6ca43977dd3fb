"""Errors, and the exit codes of commands."""

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path

LONGEST = 1000  # characters of an error's own message


class ExitCode(IntEnum):
    """The exit code of a command. For a command that judges, FAIL is a verdict on the code and has no other cause; see
    labkit/cli/error_boundary.py."""

    OK = 0
    FAIL = 1
    UNKNOWN = 2
    INTERRUPTED = 130
    USAGE = 254
    INTERNAL = 255


class UserError(Exception):
    """An error that the user can fix: one sentence, lines of detail, and the next step, usually a command to paste. Without an exit code
    of its own, it ends a judging command with UNKNOWN and any other command with FAIL."""

    def __init__(
        self, message: str, next_step: str | None = None, *, exit_code: ExitCode | None = None, details: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.exit_code = exit_code
        self.details = tuple(details)

    def __str__(self) -> str:
        lines = [self.message]
        if self.details:
            lines += ["", *(f"  {line}" if line else "" for line in self.details), ""]
        if self.next_step:
            lines.append(f"Next: {self.next_step}")
        return "\n".join(lines)


class Damaged(UserError):
    """One of labkit's own files cannot be read: it is empty, truncated, or was not written by labkit."""

    def __init__(self, path: Path, why: str, next_step: str) -> None:
        super().__init__(f"{path} is damaged: {why}.", next_step, exit_code=ExitCode.INTERNAL)
        self.path = path


def words_of(error: BaseException) -> str:
    """Return an error as text, for example `KeyError: 'total'`. Works even if the error's own message cannot be read."""
    try:
        return f"{type(error).__name__}: {error}"[:LONGEST]
    except Exception:
        return type(error).__name__
