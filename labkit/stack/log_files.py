"""The log files in a stack's directory, one per component."""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

INTERVAL = 0.2  # seconds between two reads when following
TAIL_SIZE = 1024 * 1024  # bytes at the end that are searched for the last lines


def of(directory: Path, component: str) -> Path:
    return directory / "logs" / f"{component}.log"


def lines(path: Path, count: int | None, begin: int = 0, end: int | None = None) -> list[str]:
    """Return the last `count` lines (within the last megabyte) or all lines, from byte `begin` to byte `end`.

    Returns an empty list when the file does not exist.
    """
    if count == 0:
        return []
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if begin > size or (end is not None and end < begin):  # the log was rotated
                begin, end = (0, None) if end is None else (size, None)
            end = size if end is None else end
            begin = begin if count is None else max(begin, end - TAIL_SIZE)
            file.seek(begin)
            found = file.read(max(0, end - begin)).decode(errors="replace").splitlines()
    except OSError:
        return []
    return found if count is None else found[-count:]


def follow(paths: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Yield component and line for everything written from now on, forever. Handles files that appear later and rotated files."""
    files: dict[str, BinaryIO] = {}
    for name, path in paths.items():
        if path.exists():
            files[name] = path.open("rb")
            files[name].seek(0, os.SEEK_END)
    return _follow(paths, files)


def _follow(paths: Mapping[str, Path], files: dict[str, BinaryIO]) -> Iterator[tuple[str, str]]:
    rest = dict.fromkeys(paths, b"")
    while True:
        for name, path in paths.items():
            if path.exists() and (name not in files or path.stat().st_ino != os.fstat(files[name].fileno()).st_ino):
                files[name] = path.open("rb")
            if name in files:
                *whole, rest[name] = (rest[name] + files[name].read()).split(b"\n")
                yield from ((name, line.decode(errors="replace")) for line in whole)
        time.sleep(INTERVAL)
