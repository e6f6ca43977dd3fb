"""Noticing what a learner saves. labkit polls the files' times and sizes: a poll takes a millisecond and works on every file system,
including those without change notification."""

import time
from collections.abc import Iterator
from contextlib import suppress

from labkit.stack import sources
from labkit.workspace import manifest
from labkit.workspace.learner_folder import Workspace

LOOK_S = 0.2


def saves(space: Workspace) -> Iterator[None]:
    """Yield once at the start, then each time the services' files or the lab's other files (such as saga.yml) have changed and stayed
    the same for one poll. The pause matters because one save in an editor or formatter writes, renames and removes files. Never ends."""
    taken: dict[str, tuple[int, int]] | None = None
    seen = _looks(space)
    while True:
        now = _looks(space)
        if now == seen and now != taken:
            taken = now
            yield
            continue  # the next poll sees what was saved while the caller worked
        seen = now
        time.sleep(LOOK_S)


def _looks(space: Workspace) -> dict[str, tuple[int, int]]:
    found = sources.looks(space.folder)
    for path in manifest.read(space).beside:
        with suppress(OSError):
            seen = (space.folder / path).stat()
            found[path] = (seen.st_mtime_ns, seen.st_size)
    return found
