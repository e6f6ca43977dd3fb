"""The lock of a stack's work: either one check or chaos run, or any number of loads.

A run takes the lock exclusively; loads share it. The kernel releases the lock when the process ends, however it ends.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from labkit.errors import ExitCode, UserError
from labkit.stack.model import Stack

FILE = "run.lock"  # in the stack's directory
LOOK_AGAIN_S = 0.02  # another command may hold the lock briefly to see whether it is free
RUN, LOAD = "run", "load"


@dataclass(frozen=True)
class AtWork:
    """`who` is the command, its process and its start time. `kind` is RUN or LOAD."""

    kind: str
    who: str


@contextmanager
def run(stack: Stack, command: str) -> Iterator[None]:
    """Hold the lock for a check or a chaos run. Raises UserError that names the command that already works on the stack."""
    with _file(stack) as file:
        if not _taken(file, fcntl.LOCK_EX):
            holder = _written(file)
            raise _beside_load(stack, holder) if holder.kind == LOAD else _busy(stack, holder)
        _write(file, RUN, command)
        yield


@contextmanager
def load(stack: Stack, command: str) -> Iterator[None]:
    """Hold the lock for a load, which would disturb a run. Raises UserError that names the run."""
    with _file(stack) as file:
        if not _taken(file, fcntl.LOCK_SH):
            message = f"{_written(file).who} is at work on the stack {stack.name!r} and cannot judge it under load."
            raise UserError(message, "wait until it is done, or stop it", exit_code=ExitCode.UNKNOWN)
        _write(file, LOAD, command)
        yield


def refuse_beside_load(stack: Stack) -> None:
    """Raise UserError that names the load, if there is one. Commands that judge the stack need it at rest, without new orders."""
    with _file(stack) as file:
        if not _taken(file, fcntl.LOCK_EX) and (holder := _written(file)).kind == LOAD:
            raise _beside_load(stack, holder)


def _beside_load(stack: Stack, holder: AtWork) -> UserError:
    message = f"{holder.who} is placing orders on the stack {stack.name!r}: nothing can be judged until the load ends."
    return UserError(message, "stop it (Ctrl-C where it runs) or wait for it, then run the same command again", exit_code=ExitCode.UNKNOWN)


def _busy(stack: Stack, holder: AtWork) -> UserError:
    return UserError(f"{holder.who} is at work on the stack {stack.name!r}.", "wait until it is done, or stop it")


@contextmanager
def _file(stack: Stack) -> Iterator[TextIO]:
    with (stack.directory / FILE).open("a+") as file:
        yield file


def _taken(file: TextIO, mode: int) -> bool:
    for pause in (LOOK_AGAIN_S, 0.0):
        try:
            fcntl.flock(file, mode | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(pause)
    return False


def _write(file: TextIO, kind: str, command: str) -> None:
    file.truncate(0)
    file.write(f"{kind}\n{command} (pid {os.getpid()}, since {time.strftime('%H:%M:%S')})\n")
    file.flush()


def _written(file: TextIO) -> AtWork:
    file.seek(0)
    kind, _, who = file.read().partition("\n")
    return AtWork(kind, who.strip() or "another run")
