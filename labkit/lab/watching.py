"""What a learner saves, as it happens: the system's file events, or looking again and again where they do not work."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from labkit import say

EVENT_TIMEOUT_MS = 1500  # for the event of a file that labkit writes itself
POLL_MS = 300
DEBOUNCE_MS = 150  # an editor that saves writes, renames and removes; a formatter does it again
PULSE_MS = 200


def changes(folder: Path, beside: Path, *, poll: bool = False) -> Iterator[set[Path]]:
    """The files below `folder` that were saved, each time some were; for ever. `beside` is a folder of labkit's on the same file system,
    in which it tries whether events arrive."""
    from watchfiles import watch

    polling = poll or not _events_arrive(beside)
    if polling and not poll:
        say.line("This file system tells nobody of changes; labkit looks for them instead.")
    for found in watch(folder, watch_filter=_is_ours, debounce=DEBOUNCE_MS, force_polling=polling, poll_delay_ms=POLL_MS, step=PULSE_MS):
        yield {Path(path) for _, path in found}


def _is_ours(_: object, path: str) -> bool:
    return (
        "__pycache__" not in path and not any(part.startswith(".") for part in Path(path).parts[-1:]) and not path.endswith(("~", ".pyc"))
    )


def _events_arrive(beside: Path) -> bool:
    """Written here, seen here? Not on some shares and mounted folders."""
    from watchfiles import watch

    probe = beside / f"watch.{os.getpid()}"
    deadline = time.monotonic() + EVENT_TIMEOUT_MS / 1000
    try:
        for found in watch(beside, watch_filter=None, force_polling=False, debounce=50, step=25, rust_timeout=50, yield_on_timeout=True):
            if any(Path(path).name == probe.name for _, path in found):
                return True
            if time.monotonic() > deadline:
                return False
            probe.write_text(str(time.monotonic()))
    except OSError:  # no more watches to be had
        return False
    finally:
        probe.unlink(missing_ok=True)
    return False
