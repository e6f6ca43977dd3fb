"""Log lines as JSON on standard output, one a line, for people and for display; no verdict rests on them."""

import json
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
    line = {"time": round(time.time(), 6), "event": event, **details}
    try:
        _write(_encode(line) + b"\n")
    except (UnicodeEncodeError, TypeError):  # half of a surrogate pair, or no JSON: a line that looks odd is better than none
        _write(json.dumps(line, default=repr).encode() + b"\n")


def describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
