"""JSON log lines on standard output, for people and for display. No verdict depends on them."""

import json
import sys
import time
import warnings
from contextvars import ContextVar
from typing import Any, TextIO

import msgspec

_encode = msgspec.json.Encoder().encode
_write = sys.stdout.buffer.write
_flush = sys.stdout.buffer.flush


concerning: ContextVar[dict[str, object] | None] = ContextVar("concerning", default=None)
"""Fields that identify the current work; they are added to the lines of warnings raised during it."""


def log(event: str, **details: Any) -> None:
    """Write one line immediately. Times are UTC seconds with microseconds."""
    log_many([(event, details)])


def log_many(lines: list[tuple[str, dict[str, Any]]]) -> None:
    """Write several lines immediately, with a single system call."""
    if not lines:
        return
    _write(b"".join([_line(event, details) for event, details in lines]))
    _flush()


def _line(event: str, details: dict[str, Any]) -> bytes:
    line = {"time": round(time.time(), 6), "event": event, **details}
    try:
        return _encode(line) + b"\n"
    except (UnicodeEncodeError, TypeError):  # a lone surrogate, or not JSON: an odd line is better than none
        return json.dumps(line, default=repr).encode() + b"\n"


def describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def warnings_in_our_log() -> None:
    """Log every Python RuntimeWarning as a line, each time: "coroutine '…' was never awaited" explains why a handler changed nothing."""
    warnings.showwarning = _show_warning
    warnings.simplefilter("always", RuntimeWarning)


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None, line: str | None = None
) -> None:
    about = concerning.get() or {}
    log("warning", level="warning", error=f"{category.__name__}: {message}", where=f"{filename}:{lineno}", **about)
