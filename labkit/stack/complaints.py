"""What a process wrote about what went wrong. Its own lines only: an earlier process of the component is another matter."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.stack import ports
from labkit.stack.model import Stack
from labkit.stack.runtime import Runtime

LINES = 2000  # of a process' last ones that are looked through
COMPLAINTS = 20  # lines before its end in which one tells why it could not start
LONGEST = 8000  # characters that are kept
TRACEBACK = "Traceback (most recent call last)"
_PORT_IS_TAKEN = re.compile(r"address (is )?already in use|EADDRINUSE|port is already (allocated|in use)", re.IGNORECASE)
_PLACE = re.compile(r'File "(?:.*/)?(services/[^"]+)", line (\d+)')
_NO_MODULE = re.compile(r"No module named '?(services(?:\.\w+)+)")
_NO_FILE = re.compile(r"No such file or directory: '(?:.*/)?(services/[^']+)'")
_BAD = ("error", "critical", "fatal")


@dataclass(frozen=True)
class Complaint:
    """The last one. `at` in epoch seconds, where the line tells; `message_id` of the message in hand."""

    text: str
    at: float | None = None
    message_id: str | None = None

    @property
    def last_line(self) -> str:
        return next((line.strip() for line in reversed(self.text.splitlines()) if line.strip()), "")


@dataclass(frozen=True)
class Mistake:
    """Where in the services' own files an exception comes from: `services/orders/app.py`, its line, and the exception's last line.
    `missing` is the file of the services that it did not find."""

    file: str
    line: int
    text: str
    missing: str = ""

    def __str__(self) -> str:
        if self.missing:
            return f"{self.missing} is missing" + (f", and {self.file}, line {self.line} needs it" if self.file else "")
        name, colon, what = self.text.partition(": ")
        return f"{name} in {self.file}, line {self.line}{colon}{what}"


def mistake(text: str) -> Mistake | None:
    """In what a service said when it ended: the last place that is in a file of the services. None where there is none."""
    places = _PLACE.findall(text)
    last_line = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    file, line = places[-1] if places else ("", "0")
    if found := _NO_MODULE.search(last_line):
        return Mistake(file, int(line), last_line, f"{found[1].replace('.', '/')}.py")
    if found := _NO_FILE.search(last_line):
        return Mistake(file, int(line), last_line, found[1])
    return Mistake(file, int(line), last_line) if places else None


def complaint(lines: Sequence[str]) -> Complaint | None:
    """In the lines of one process: one of a service's own JSON lines, or what Python prints when it ends by an exception."""
    end = len(lines)
    for number in range(len(lines) - 1, -1, -1):
        line = lines[number]
        if line.startswith(TRACEBACK):
            return Complaint("\n".join(lines[number:end])[-LONGEST:])
        if not line.startswith("{"):
            continue
        end = number
        said = _object(line)
        text = said.get("traceback") or said.get("cause") or said.get("error")
        if not text and str(said.get("level", "")).lower() in _BAD:
            text = said.get("event")
        if text:
            at, message = said.get("time"), said.get("message_id")
            when = float(at) if isinstance(at, int | float) and 0 <= at < 1e11 else None
            return Complaint(str(text)[-LONGEST:], when, None if message is None else str(message)[:100])
    return None


def _object(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def complains_of_port(lines: Sequence[str], *numbers: int) -> bool:
    """Did it end because somebody else listened where it wanted to?"""
    taken = (line for line in lines if _PORT_IS_TAKEN.search(line))
    return any("port" not in line.lower() or any(str(number) in line for number in numbers) for line in taken)


def port_taken(stack: Stack, runtime: Runtime, component: str, ended: float | None = None) -> str | None:
    """Who has a port of a component that ended, or that somebody had one when this process (the last one, else the one that ended then)
    was started. A phrase; None where that was not the reason."""
    numbers, is_service = stack.ports_of(component), stack[component].kind == "service"
    lines = runtime.said(component, LINES, ended)
    complains = lines is not None and complains_of_port(lines[-COMPLAINTS:], *numbers)
    if (complains or lines is None or not is_service) and not runtime.runs(component) and (held := ports.first_held(numbers)) is not None:
        return f"its port {held} is held by {ports.holder(held)}"
    return f"its port {' or '.join(map(str, numbers))} was held by another program when it started" if complains else None


def doing(runtime: Runtime, component: str) -> str | None:
    """What a component that runs and does not go on can be seen to do: a phrase. None where that cannot be known."""
    lines = runtime.said(component, LINES)
    if lines is None:
        return None
    uses = runtime.processor(component)
    busy = "" if uses is None else f", and uses {uses:.0f} % of a processor"
    seen = runtime.look().get(component)
    since = "" if seen is None or seen.uptime_s is None else f" {seen.uptime_s:.0f} s ago"
    words = complaint(lines)
    what = f"complained last of {words.last_line.rstrip('.')}; it" if words else "has complained of nothing since it" if lines else None
    return f"{component} {what or 'has said nothing since it'} was started{since}{busy}"
