"""The user's cache, shared by all stacks: Kafka's jars, template data directories, class-data archives, and known versions."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from labkit import paths
from labkit.errors import UserError


def cache_dir() -> Path:
    """Return the cache folder, and create it if necessary. Raises UserError when that fails."""
    folder = paths.cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        next_step = "export LABKIT_CACHE=DIR, a folder that you may write to"
        raise UserError(f"{folder} cannot be created: {error.strerror}.", next_step) from None
    return folder


def scratch_dir(label: str) -> tempfile.TemporaryDirectory[str]:
    """Return a temporary folder inside the cache, so that its content can be moved into place in one step."""
    return tempfile.TemporaryDirectory(prefix=_scratch(label), dir=cache_dir(), ignore_cleanup_errors=True)


def remove_scratch(label: str) -> None:
    """Remove the temporary folders of killed processes. The caller makes sure that none is in use."""
    for left in cache_dir().glob(f"{_scratch(label)}*"):
        shutil.rmtree(left, ignore_errors=True)


def _scratch(label: str) -> str:
    return f"making-{label}-"


def move_into_place(made: Path, place: Path) -> None:
    """Move a finished file or folder to its final place. If another process was first, its result stays."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        made.replace(place)
    except OSError:
        if not place.exists():
            raise


def version_text(binary: Path, *arguments: str) -> str:
    """Return the output of `binary arguments` (both streams), or "" when the command fails.

    The result is cached until the file changes: a JVM takes 100 ms to print its version, and every `labkit up` needs it.
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
