"""Points at which a test can kill labkit, to see how the next command recovers. Only tests set them."""

import os
import signal


def reached(place: str) -> None:
    """End here as by `kill -9` when `LABKIT_DIE_AT` names this point (for example `LABKIT_DIE_AT=act`)."""
    if os.environ.get("LABKIT_DIE_AT") == place:
        os.kill(os.getpid(), signal.SIGKILL)
