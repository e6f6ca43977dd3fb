"""Log lines as JSON on standard output, one a line, for people and for display; no verdict rests on them."""

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
"""What is in hand, for lines that others write about it."""


def log(event: str, **details: Any) -> None:
    """Write one line at once. Times are UTC seconds with microseconds."""
    log_many([(event, details)])


def log_many(lines: list[tuple[str, dict[str, Any]]]) -> None:
    """Write several lines at once: one call of the system, however many they are."""
    if not lines:
        return
    _write(b"".join([_line(event, details) for event, details in lines]))
    _flush()


def _line(event: str, details: dict[str, Any]) -> bytes:
    line = {"time": round(time.time(), 6), "event": event, **details}
    try:
        return _encode(line) + b"\n"
    except (UnicodeEncodeError, TypeError):  # half of a surrogate pair, or no JSON: a line that looks odd is better than none
        return json.dumps(line, default=repr).encode() + b"\n"


def describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def warnings_in_our_log() -> None:
    """What Python warns of becomes a line, each time: "coroutine '…' was never awaited" says why a handler changed nothing."""
    warnings.showwarning = _show_warning
    warnings.simplefilter("always", RuntimeWarning)


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None, line: str | None = None
) -> None:
    about = concerning.get() or {}
    log("warning", level="warning", error=f"{category.__name__}: {message}", where=f"{filename}:{lineno}", **about)
