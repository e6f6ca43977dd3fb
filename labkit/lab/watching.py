"""What a learner saves, as it happens. labkit looks at the files' times and sizes again and again: that takes a millisecond, and works
on every file system, also where nobody is told of changes."""

import time
from collections.abc import Iterator
from pathlib import Path

from labkit.stack import sources

LOOK_S = 0.2


def saves(folder: Path) -> Iterator[None]:
    """Yields at once, and then whenever files of the services below `folder` were saved and nothing has changed for one look: an editor
    that saves writes, renames and removes, and a formatter does it again. For ever."""
    taken: dict[str, tuple[int, int]] | None = None
    seen = sources.looks(folder)
    while True:
        now = sources.looks(folder)
        if now == seen and now != taken:
            taken = now
            yield
            continue  # what was saved while the caller was at work shows in the next look
        seen = now
        time.sleep(LOOK_S)
