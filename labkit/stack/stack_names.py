"""The names of stacks: what a name may be, where its stack has its directory, and which stack a command means without --name."""

import re
from pathlib import Path

from labkit import paths
from labkit.errors import ExitCode, UserError

_default = ["default"]  # the stack of commands without --name
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")


def directory_of(name: str) -> Path:
    if not _NAME.fullmatch(name):
        message = f"{name!r} is not a name for a stack: use up to 31 small letters, digits, - and _."
        raise UserError(message, "labkit up --name mine", exit_code=ExitCode.USAGE)
    return paths.home() / "stacks" / name


def named(name: str) -> str:
    """Return the option to append to a command for this stack, or "" when the command uses this stack by default."""
    return "" if name == _default[0] else f" --name {name}"


def set_default(name: str) -> None:
    """Set the default stack of the commands typed here. The workspace defines it."""
    _default[:] = [name]
