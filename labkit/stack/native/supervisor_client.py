"""labkit's side of the supervisor: start components through it, and start the supervisor itself when none answers."""

import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from labkit import paths
from labkit.errors import UserError
from labkit.stack import log_files, processes
from labkit.stack.model import SUPERVISOR

TIMEOUT_S = 5.0
SHOWN_LINES = 8  # last log lines of a supervisor that ended
PROGRAM = Path(__file__).with_name("supervisor.py")


class SupervisorClient:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._socket = paths.socket_directory(directory) / "supervisor.sock"
        self._started: subprocess.Popen[bytes] | None = None  # the supervisor that this command started

    def process(self) -> processes.Process | None:
        return processes.running(self._directory, SUPERVISOR)

    def start(self, components: Collection[str], environment: Mapping[str, str]) -> None:
        """Start these components of the plan. A new supervisor gets the `environment`."""
        if not self._send("start", *components):
            self._replace(components, environment)
            processes.wait_until(self._accepts_or_ended, TIMEOUT_S)  # a component that ended before that would end unseen

    def check(self) -> None:
        """Raises UserError when the supervisor that this command started has ended."""
        if self._started and self._started.poll() is not None:
            log = log_files.lines(log_files.of(self._directory, SUPERVISOR), SHOWN_LINES)
            raise UserError(f"The supervisor ended with exit code {self._started.returncode}.", "labkit up", details=log)

    def _accepts_or_ended(self) -> bool:
        """Whether the new supervisor accepts commands, or has ended."""
        return self._send("start") or self._started is None or self._started.poll() is not None

    def _send(self, *words: str) -> bool:
        """Send a command to the supervisor. Returns False when no supervisor does it."""
        if not self.process():
            return False
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(TIMEOUT_S)
                connection.connect(str(self._socket))
                connection.sendall(" ".join(words).encode() + b"\n")
                return connection.makefile().readline().strip() == "ok"
        except OSError:
            return False

    def _replace(self, components: Collection[str], environment: Mapping[str, str]) -> None:
        if old := self.process():
            old.send(signal.SIGKILL)  # its processes keep running
            processes.wait_gone([old], TIMEOUT_S)
        with (self._directory / "logs" / "supervisor.log").open("ab") as log:
            self._started = subprocess.Popen(
                [sys.executable, "-I", "-S", PROGRAM, self._directory, self._socket, *components],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={**environment, processes.MARKER: str(self._directory), "LABKIT_COMPONENT": SUPERVISOR},
            )
