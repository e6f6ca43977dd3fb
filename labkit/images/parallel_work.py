"""Parallel work that reports progress and stops at once on request."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar

from labkit.errors import UserError

T = TypeVar("T")

LOOK_AGAIN_S = 0.1
END_S = 5.0


class Stopped(Exception):
    """The work was stopped on request. This is not an error by itself."""


class ImageProgress(Protocol):
    """Receives the progress of the work. Several threads call it."""

    def state(self, task: str, what: str, done: int = 0, total: int = 0) -> None:
        """Report the current step of `task`. `done` and `total` are bytes, 0 when unknown."""

    def finished(self, task: str, what: str, seconds: float) -> None: ...

    def tick(self) -> None:
        """Called ten times per second by the waiting thread."""


class Work:
    """Threads and processes that end together: at the first failure, at Ctrl-C, or when all are done."""

    def __init__(self, progress: ImageProgress, threads: int = 12) -> None:
        self.progress = progress
        self._pool = ThreadPoolExecutor(threads)
        self._stop = threading.Event()
        self._running: set[subprocess.Popen[Any]] = set()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> "Work":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def begin(self, function: Callable[..., T], *arguments: object) -> "Future[T]":
        return self._pool.submit(function, *arguments)

    def wait_for(self, *futures: "Future[Any]") -> None:
        """Wait until all are done. Raises the first error."""
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=LOOK_AGAIN_S, return_when=FIRST_EXCEPTION)
            self.progress.tick()
            errors = [error for future in done if (error := future.exception())]
            # A thread that was stopped on request does not know the cause.
            if errors:
                raise next((error for error in errors if not isinstance(error, Stopped)), errors[0])

    def check(self) -> None:
        """Raises Stopped when the work should end."""
        if self._stop.is_set():
            raise Stopped

    def stop(self) -> None:
        self._stop.set()
        with self._lock:
            for process in self._running:
                _signal_group(process, signal.SIGTERM)
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def pause(self, seconds: float) -> None:
        """Sleep. Raises Stopped when the work should end."""
        self._stop.wait(seconds)
        self.check()

    @contextmanager
    def interrupting(self, connection: socket.socket) -> Iterator[None]:
        """Shut the connection down when the work should end."""
        with self._lock:
            self.check()
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)

    @contextmanager
    def process(self, command: Sequence[str | Path], **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a command in its own process group. It never outlives the block."""
        try:
            with self._lock:
                self.check()
                process = subprocess.Popen(command, start_new_session=True, **{"stdin": subprocess.DEVNULL, **options})
                self._running.add(process)
        except FileNotFoundError:
            raise UserError(f"There is no {command[0]} on this machine.", "labkit doctor") from None
        try:
            yield process
        except BaseException:
            _signal_group(process, signal.SIGTERM)
            raise
        finally:
            try:
                process.wait(END_S if self._stop.is_set() else None)
            except subprocess.TimeoutExpired:
                _signal_group(process, signal.SIGKILL)
                process.wait()
            with self._lock:
                self._running.discard(process)
        self.check()

    def run(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        each_line: Callable[[str], None] | None = None,
    ) -> tuple[int, list[str]]:
        """Run a command. Returns its exit code and its output (both streams), line by line."""
        lines: list[str] = []
        env = {**os.environ, **environment} if environment else None
        with self.process(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, cwd=folder) as process:
            assert process.stdout is not None
            for raw in process.stdout:
                lines.append(raw.decode(errors="replace").rstrip())
                if each_line:
                    each_line(lines[-1])
        return process.returncode, lines


@contextmanager
def timed(progress: ImageProgress, task: str, what: str) -> Iterator[None]:
    """Report the start of a step and, unless it fails, its end."""
    begun = time.monotonic()
    progress.state(task, what)
    yield
    progress.finished(task, what, time.monotonic() - begun)


def _signal_group(process: "subprocess.Popen[Any]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
