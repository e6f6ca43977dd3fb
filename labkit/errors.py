"""What can go wrong, and the codes a command ends with."""

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path

LONGEST = 1000  # characters of an error's own words


class ExitCode(IntEnum):
    """FAIL of a command that judges is a verdict on the code, and nothing else ends with it; see labkit/cli/ending.py."""

    OK = 0
    FAIL = 1
    UNKNOWN = 2
    INTERRUPTED = 130
    USAGE = 254
    INTERNAL = 255


class UserError(Exception):
    """Something the user can fix: one sentence, lines that show it, and the next step, mostly a command to paste. Without an exit code
    of its own it is the command's: UNKNOWN where the command judges, else FAIL."""

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
    """A file that labkit keeps cannot be read: empty, torn, or not what labkit writes there."""

    def __init__(self, path: Path, why: str, next_step: str) -> None:
        super().__init__(f"{path} is damaged: {why}.", next_step, exit_code=ExitCode.INTERNAL)
        self.path = path


def words_of(error: BaseException) -> str:
    """`KeyError: 'total'`, also of an error that cannot say what it is."""
    try:
        return f"{type(error).__name__}: {error}"[:LONGEST]
    except Exception:
        return type(error).__name__
