"""Errors of the machine (full disk, missing permission, no memory) as messages that say what to do."""

import errno
import os
import shlex
from contextlib import suppress

from labkit.errors import UserError, words_of

NO_SPACE, NOT_ALLOWED = (errno.ENOSPC, errno.EDQUOT), (errno.EACCES, errno.EPERM)


def as_user_error(error: BaseException) -> UserError | None:
    """Return a UserError for an error that the machine caused, or None for any other error."""
    if isinstance(error, MemoryError):
        return UserError("The machine had no memory left for labkit.", "end other programs, then run the same command again")
    number = error.errno if isinstance(error, OSError) else errno.ENOSPC if os.strerror(errno.ENOSPC) in words_of(error) else None
    file = getattr(error, "filename", None)
    name = os.fsdecode(file) if isinstance(file, str | bytes) else ""
    if number in NO_SPACE:
        return _no_space(name)
    if number == errno.ENOENT and not name and not os.path.exists("."):  # noqa: PTH110
        return UserError("The folder that you are in is gone.", "cd, then run the same command again")
    if number == errno.EROFS:
        return UserError(f"{name or 'The disk'} is read-only: labkit could not write there.", _elsewhere(name))
    if number in NOT_ALLOWED and name:
        return UserError(f"labkit may not use {name}: {os.strerror(number or 0)}.", f"ls -ld {shlex.quote(name)}; or {_elsewhere(name)}")
    if number in (errno.ENOTDIR, errno.EEXIST) and name:
        return UserError(f"labkit needs a folder at {name}, but something else is there.", _elsewhere(name))
    if number in (errno.EMFILE, errno.ENFILE):
        return UserError("Too many files are open: labkit could not open another one.", "ulimit -n 4096, then run the same command again")
    return None


def _elsewhere(name: str) -> str:
    """Return the command that moves labkit's files away from the folder of this file."""
    from labkit import paths

    with suppress(UserError):
        if name and os.path.abspath(name).startswith(str(paths.cache())):  # noqa: PTH100
            return "export LABKIT_CACHE=DIR, a folder that you may write to"
    return "export LABKIT_HOME=DIR, a folder that you may write to"


def _no_space(name: str) -> UserError:
    from labkit import paths

    what = f": {name} could not be written" if name else ""
    removal = "or remove a stack's data: labkit down --data"
    return UserError(f"The disk is full{what}.", f"free some space ({paths.home()}), then run the same command again; {removal}")
