"""labkit's file locations: state under LABKIT_HOME, reproducible files in the cache, sockets in a private directory with a short path."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from labkit.errors import Damaged, UserError

T = TypeVar("T")
OF_WORKSPACE = ".labkit"  # the folder of a workspace that is labkit's own


def home() -> Path:
    """Return the folder for stacks and reports: `LABKIT_HOME`, else the user's state directory."""
    return _from_environment("LABKIT_HOME") or usual_home()


def usual_home() -> Path:
    return _platform_directory("user_state_path")


def cache() -> Path:
    """Return the folder for downloads, data templates and class-data archives: `LABKIT_CACHE`, else the user's cache directory."""
    return _from_environment("LABKIT_CACHE") or _platform_directory("user_cache_path")


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    if not value:
        return None
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError:  # ~ of a user without a home
        raise UserError(f"{name} is {value}, but there is no such home directory.", f"export {name}=DIR, a folder of yours") from None


def _platform_directory(function: str) -> Path:
    import platformdirs

    with suppress(RuntimeError):
        path: Path = getattr(platformdirs, function)("labkit", appauthor=False)
        if path.is_absolute():
            return path
    # Neither HOME nor the user database names a home directory.
    raise UserError("You have no home directory here.", "export LABKIT_HOME=DIR LABKIT_CACHE=DIR, folders that you may write to")


def content() -> Path:
    """Return the folder that has `services`, `labs` and `compose`: the clone's root, or the wheel's content folder."""
    package = Path(__file__).resolve().parent
    inside = package / "content"
    return inside if inside.is_dir() else package.parent


def compose_directory() -> Path:
    return content() / "compose"


def private_directory() -> Path:
    """Return a directory of this user with a short path: the path of a socket is limited to about 100 bytes. Raises UserError."""
    path = Path(f"/tmp/labkit-{os.getuid()}")
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise UserError(f"{path} is not a private directory of yours.", f"remove {path}")
    return path


def make_private(path: Path) -> Path:
    """Create a folder that only this user can read. Restricts the permissions of an existing folder."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(0o700)
    return path


def socket_directory(stack_directory: Path) -> Path:
    """Return the folder for one stack's sockets."""
    import hashlib

    path = private_directory() / hashlib.sha256(os.fsencode(stack_directory)).hexdigest()[:10]
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def write(path: Path, content: str | bytes) -> None:
    """Replace the file atomically: readers see the old or the new content, even after a crash.

    Below `home`, only the user can read the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    _write(aside, path, content, 0o600 if path.is_relative_to(home()) else 0o666)


def write_private(path: Path, text: str) -> None:
    """As `write`, but only the user can read the file, wherever it is. For files with passwords."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(path.with_name(f".{path.name}.{os.getpid()}"), path, text, 0o600)


def _write(aside: Path, path: Path, content: str | bytes, mode: int) -> None:
    try:
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:  # noqa: PTH123
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        if error.filename is None:  # a failed write has no file name; the report of a full disk needs it
            error.filename = str(path)
        raise
    with suppress(OSError):
        _remove_left(path)


def _remove_left(path: Path) -> None:
    """Remove the temporary files of writers that were killed before the rename. They may contain a password."""
    start = f".{path.name}."
    for name in os.listdir(path.parent):  # noqa: PTH208  (called for every written file)
        pid = name.removeprefix(start)
        if name.startswith(start) and pid.isdecimal() and not _is_alive(int(pid)):
            (path.parent / name).unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def read_json(path: Path, shape: type[T], next_step: str) -> T:
    """Read a JSON file of labkit's whose top level is a `shape`. Raises FileNotFoundError, or Damaged for any other content."""
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except NotADirectoryError as error:  # a file where a parent folder should be: the file does not exist either
        raise FileNotFoundError(*error.args) from None
    except (OSError, ValueError, RecursionError) as error:
        empty = isinstance(error, ValueError) and not path.stat().st_size
        why = "it is empty" if empty else error.strerror if isinstance(error, OSError) and error.strerror else "it is not JSON"
        raise Damaged(path, why, next_step) from error
    if not isinstance(data, shape):
        raise Damaged(path, "it holds something else", next_step)
    return data


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive file lock; others wait. For what several stacks share."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
