"""Log lines as JSON on standard output, one a line, for people and for display; no verdict rests on them."""

import sys
import time
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode
_write = sys.stdout.buffer.write
_flush = sys.stdout.buffer.flush


def log(event: str, **details: Any) -> None:
    """Write one line at once. Times are UTC seconds with microseconds."""
    write(event, details)
    _flush()


def log_many(lines: list[tuple[str, dict[str, Any]]]) -> None:
    for event, details in lines:
        write(event, details)
    _flush()


def write(event: str, details: dict[str, Any]) -> None:
    _write(_encode({"time": round(time.time(), 6), "event": event, **details}) + b"\n")


def describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
