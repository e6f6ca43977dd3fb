"""What a learner saves, as it happens. labkit looks at the files' times and sizes again and again: that takes a millisecond, and works
on every file system, also where nobody is told of changes."""

import time
from collections.abc import Iterator
from contextlib import suppress

from labkit.stack import sources
from labkit.workspace.learner_folder import Workspace
from labkit.workspace.manifest import manifest_of

LOOK_S = 0.2


def saves(space: Workspace) -> Iterator[None]:
    """Yields at once, and then whenever files of the services or those that the lab brought, such as saga.yml, were saved and nothing has
    changed for one look: an editor that saves writes, renames and removes, and a formatter does it again. For ever."""
    taken: dict[str, tuple[int, int]] | None = None
    seen = _looks(space)
    while True:
        now = _looks(space)
        if now == seen and now != taken:
            taken = now
            yield
            continue  # what was saved while the caller was at work shows in the next look
        seen = now
        time.sleep(LOOK_S)


def _looks(space: Workspace) -> dict[str, tuple[int, int]]:
    found = sources.looks(space.folder)
    for path in manifest_of(space).beside:
        with suppress(OSError):
            seen = (space.folder / path).stat()
            found[path] = (seen.st_mtime_ns, seen.st_size)
    return found
