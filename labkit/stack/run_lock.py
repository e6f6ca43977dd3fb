"""The locks of a stack's work: either one check, exam or chaos run, or any number of loads.

A run takes its lock first. A load that sees this lets its orders end and steps aside until the run is over: code is judged on a stack at
rest. The kernel releases the locks when a process ends, however it ends.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from labkit.errors import ExitCode, UserError
from labkit.stack.model import Stack
from labkit.terminal import say

RUN, LOADS = "run.lock", "load.lock"  # in the stack's directory; the text says who took it last
STEPS_ASIDE_S = 20.0  # an order that does not end keeps a load for 10 s
LOOK_AGAIN_S, LOOKS = 0.02, 10  # a load holds the run's lock for a moment to see whether it is free
TELL_AFTER_S = 0.5

_held: dict[Path, str] = {}


@contextmanager
def run(stack: Stack, command: str) -> Iterator[None]:
    """Hold the lock for a run, as soon as all loads have stepped aside. A command that holds it already may take it again. Raises UserError
    that names the command which already works on the stack, or the load that does not step aside."""
    if _held.get(stack.directory) == command:
        yield
        return
    with _file(stack, RUN) as file, _file(stack, LOADS) as loads:
        if not _taken(file, fcntl.LOCK_EX, LOOKS):
            raise UserError(f"{_written(file)} is at work on the stack {stack.name!r}.", "wait until it is done, or stop it")
        _write(file, command)
        _wait_for_loads(stack, loads)
        _held[stack.directory] = command
        try:
            yield
        finally:
            del _held[stack.directory]


def _wait_for_loads(stack: Stack, loads: TextIO) -> None:
    began = time.monotonic()
    try:
        while not _taken(loads, fcntl.LOCK_EX):
            waited = time.monotonic() - began
            if waited > STEPS_ASIDE_S:
                message = f"{_written(loads)} is placing orders on the stack {stack.name!r} and does not step aside: nothing can be judged."
                raise UserError(message, "stop it, then run the same command again", exit_code=ExitCode.UNKNOWN)
            if waited > TELL_AFTER_S:
                say.progress(f"  … {_written(loads)} lets its orders end and steps aside")
            time.sleep(LOOK_AGAIN_S)
    finally:
        say.progress("")


class LoadTurn:
    """A load's turn on a stack, between runs."""

    def __init__(self, stack: Stack, file: TextIO, command: str) -> None:
        self._stack, self._file, self._command = stack, file, command

    def wanted_by(self) -> str:
        """Return the run that wants the stack, or an empty text."""
        with _file(self._stack, RUN) as file:
            return "" if _taken(file, fcntl.LOCK_SH) else _written(file)

    def take(self) -> bool:
        """Take the stack, unless a run wants it."""
        if not _taken(self._file, fcntl.LOCK_SH):
            return False
        if self.wanted_by():
            self.give()
            return False
        _write(self._file, self._command)
        return True

    def give(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)


@contextmanager
def load(stack: Stack, command: str) -> Iterator[LoadTurn]:
    """Hold the lock for a load, which would disturb a run. Raises UserError that names the run."""
    with _file(stack, LOADS) as file:
        turn = LoadTurn(stack, file, command)
        if not turn.take():
            message = f"{turn.wanted_by() or 'A run'} is at work on the stack {stack.name!r} and cannot judge it under load."
            raise UserError(message, "wait until it is done, or stop it", exit_code=ExitCode.UNKNOWN)
        yield turn


@contextmanager
def _file(stack: Stack, name: str) -> Iterator[TextIO]:
    with (stack.directory / name).open("a+") as file:
        yield file


def _taken(file: TextIO, mode: int, looks: int = 1) -> bool:
    for look in range(looks):
        try:
            fcntl.flock(file, mode | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if look < looks - 1:
                time.sleep(LOOK_AGAIN_S)
    return False


def _write(file: TextIO, command: str) -> None:
    file.truncate(0)
    file.write(f"{command} (pid {os.getpid()}, since {time.strftime('%H:%M:%S')})")
    file.flush()


def _written(file: TextIO) -> str:
    file.seek(0)
    return file.read().strip() or "another run"
