"""Start the holder process, and find it."""

import os
import subprocess
import sys
import time

from labkit import paths
from labkit.errors import UserError
from labkit.stack import processes
from labkit.stack.model import Stack

NAME = "holder"
START_S = 15.0


def running(directory: "os.PathLike[str]") -> processes.Process | None:
    from pathlib import Path

    return processes.running(Path(directory), NAME)


def ensure(stack: Stack) -> None:
    """Make sure that a holder runs for this stack, detached from the caller. It ends by itself when it has nothing to hold."""
    if running(stack.directory):
        return
    log_directory = stack.directory / "logs"
    log_directory.mkdir(exist_ok=True)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LABKIT_")},
        "LABKIT_HOME": str(paths.home()),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        processes.MARKER: str(stack.directory),
        "LABKIT_COMPONENT": NAME,
    }
    with (log_directory / "holder.log").open("ab") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "labkit.faults.holder", stack.name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=environment,
        )
    deadline = time.monotonic() + START_S
    while not running(stack.directory):
        if started.poll() is not None and not running(stack.directory):
            return  # it found nothing to hold, or another holder runs
        if time.monotonic() > deadline:
            raise UserError("The holder process did not start.", f"see {log_directory / 'holder.log'}")
        time.sleep(0.01)
