"""Beginning again in the same process: in a container that takes a tenth of the time of a container that is stopped and started.

The first SIGHUP ends the service in order, as SIGTERM does; then it waits, and does nothing, with a file `waiting` in its control directory
to say so. The next SIGHUP lets it begin with the program's files as they are by then; SIGTERM ends it after all. `began` is written when
it does.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from services.log import log
from services.workshop.control import own_directory

WAITING, BEGAN = "waiting", "began"
_asked = False


def on_hangup() -> None:
    """From now on. What an earlier process of this name left is put away."""
    signal.signal(signal.SIGHUP, _ask)
    if (own := own_directory()) is not None:
        (own / WAITING).unlink(missing_ok=True)


def _ask(_: int, __: FrameType | None) -> None:
    global _asked
    _asked = True
    os.kill(os.getpid(), signal.SIGTERM)


def if_asked_to() -> None:
    """Where the service has ended: wait for the word and begin again, which does not return; or return, if nobody asked."""
    own = own_directory()
    if not _asked or own is None:
        return
    words = {signal.SIGHUP, signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, words)  # from here on they are read, and none is lost
    log("waiting to begin again")
    _put(own / WAITING)
    if signal.sigwait(words) != signal.SIGHUP:
        return
    _put(own / BEGAN)
    (own / WAITING).unlink()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, words)  # a mask would be handed on
    sys.stdout.flush()
    sys.stderr.flush()
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _put(file: Path) -> None:
    file.write_bytes(b"")
