"""Where labkit keeps things: state under LABKIT_HOME, what can be made again in the cache, sockets in a short private directory."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from labkit.errors import Damaged, UserError

T = TypeVar("T")


def home() -> Path:
    """Stacks and reports. `LABKIT_HOME`, else the user's state directory."""
    return _from_environment("LABKIT_HOME") or usual_home()


def usual_home() -> Path:
    return _platform_directory("user_state_path")


def cache() -> Path:
    """Downloads, prepared data directories, class-data archives. `LABKIT_CACHE`, else the user's cache directory."""
    return _from_environment("LABKIT_CACHE") or _platform_directory("user_cache_path")


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    if not value:
        return None
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError:  # ~ of somebody who has no home
        raise UserError(f"{name} is {value}, and there is no such home directory.", f"export {name}=DIR, a folder of yours") from None


def _platform_directory(function: str) -> Path:
    import platformdirs

    with suppress(RuntimeError):
        path: Path = getattr(platformdirs, function)("labkit", appauthor=False)
        if path.is_absolute():
            return path
    # neither HOME nor the system's list of users says where this user's files are
    raise UserError("You have no home directory here.", "export LABKIT_HOME=DIR LABKIT_CACHE=DIR, folders that you may write to")


def content() -> Path:
    """The folder of `services`, `labs` and `compose`: the clone's root, or the wheel's content."""
    package = Path(__file__).resolve().parent
    inside = package / "content"
    return inside if inside.is_dir() else package.parent


def compose_directory() -> Path:
    return content() / "compose"


def private_directory() -> Path:
    """A directory of this user alone with a short path: a socket's path must stay under about 100 bytes."""
    path = Path(f"/tmp/labkit-{os.getuid()}")
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise UserError(f"{path} is not a private directory of yours.", f"remove {path}")
    return path


def make_private(path: Path) -> Path:
    """A folder that nobody else may look into, made when it is missing; one of an earlier labkit is closed."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(0o700)
    return path


def socket_directory(stack_directory: Path) -> Path:
    """Where the sockets of one stack are."""
    import hashlib

    path = private_directory() / hashlib.sha256(os.fsencode(stack_directory)).hexdigest()[:10]
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def write(path: Path, content: str | bytes) -> None:
    """Replace the file in one step: whoever reads sees the old or the new content, also after a crash. What is kept below `home` is
    nobody else's to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    _write(aside, path, content, 0o600 if path.is_relative_to(home()) else 0o666)


def write_private(path: Path, text: str) -> None:
    """As write, wherever it is: for what holds a password."""
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
        if error.filename is None:  # of a write; a full disk is told with the file that it had no room for
            error.filename = str(path)
        raise
    with suppress(OSError):
        _remove_left(path)


def _remove_left(path: Path) -> None:
    """What earlier writers of this file left aside that were killed before they could put it in its place: it may hold a password."""
    start = f".{path.name}."
    for name in os.listdir(path.parent):  # noqa: PTH208  (as often as files are written)
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
    """A file that labkit keeps, of which the outermost is a `shape`. Raises FileNotFoundError, and Damaged for what labkit never writes."""
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except NotADirectoryError as error:  # a file stands where one of its folders should: then it is not there either
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
    """One process at a time; waits. For what several stacks share."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
