"""What labkit keeps between stacks in the user's cache: Kafka's jars, prepared data directories, archives, versions already asked for."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from labkit import paths
from labkit.errors import UserError


def cache_dir() -> Path:
    """The cache folder, made when missing. Raises UserError where it cannot be made."""
    folder = paths.cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        next_step = "export LABKIT_CACHE=DIR, a folder that you may write to"
        raise UserError(f"{folder} cannot be made: {error.strerror}.", next_step) from None
    return folder


def scratch_dir(label: str) -> tempfile.TemporaryDirectory[str]:
    """A folder inside the cache, so that what is made in it can be moved into place in one step."""
    return tempfile.TemporaryDirectory(prefix=_scratch(label), dir=cache_dir(), ignore_cleanup_errors=True)


def remove_scratch(label: str) -> None:
    """What those left behind that were killed. The caller knows that nobody works in one now."""
    for left in cache_dir().glob(f"{_scratch(label)}*"):
        shutil.rmtree(left, ignore_errors=True)


def _scratch(label: str) -> str:
    return f"making-{label}-"


def move_into_place(made: Path, place: Path) -> None:
    """Put a finished file or folder where others look for it. Whoever comes second keeps the first one's."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        made.replace(place)
    except OSError:
        if not place.exists():
            raise


def version_text(binary: Path, *arguments: str) -> str:
    """What `binary arguments` prints, both streams; "" when it cannot run or fails.

    Remembered until the file changes: a JVM takes 100 ms to say its version, and every `labkit up` asks.
    """
    try:
        file = binary.stat()
    except OSError:
        return ""
    key = json.dumps([str(binary), str(binary.resolve()), *arguments])
    stamp = [file.st_mtime_ns, file.st_size]
    remembered = _read_versions()
    entry = remembered.get(key)
    if entry is not None and entry["stamp"] == stamp:
        return str(entry["text"])
    text = _ask([str(binary), *arguments])
    if text:
        remembered[key] = {"stamp": stamp, "text": text}
        _write_versions(remembered)
    return text


def _ask(command: Sequence[str]) -> str:
    try:
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout + answer.stderr if answer.returncode == 0 else ""


def _versions_file() -> Path:
    return cache_dir() / "versions.json"


def _read_versions() -> dict[str, dict[str, object]]:
    try:
        read = json.loads(_versions_file().read_text())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _write_versions(versions: dict[str, dict[str, object]]) -> None:
    paths.write(_versions_file(), json.dumps(versions, indent=1))
