"""What can go wrong, and the codes a command ends with."""

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0
    FAIL = 1
    UNKNOWN = 2
    INTERRUPTED = 130
    USAGE = 254
    INTERNAL = 255


class UserError(Exception):
    """Something the user can mend: one sentence, lines that show it, and the next step, mostly a command to paste."""

    def __init__(
        self, message: str, next_step: str | None = None, *, exit_code: ExitCode = ExitCode.FAIL, details: Sequence[str] = ()
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
