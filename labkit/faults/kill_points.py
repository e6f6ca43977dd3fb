"""Places at which labkit can be made to die, so that tests see what the next command does about it. Set by tests alone."""

import os
import signal


def reached(place: str) -> None:
    """`LABKIT_DIE_AT=act`: end here, as by kill -9."""
    if os.environ.get("LABKIT_DIE_AT") == place:
        os.kill(os.getpid(), signal.SIGKILL)
