"""Find the cause of a failure in what a process wrote. Only the lines of that process count, not those of earlier processes."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.stack import port_choice
from labkit.stack.model import Stack
from labkit.stack.runtime import Runtime

LINES = 2000  # last lines of a process that are searched
COMPLAINTS = 20  # last lines that can say why the process could not start
LONGEST = 8000  # characters of a message that are kept
TRACEBACK = "Traceback (most recent call last)"
_PORT_IS_TAKEN = re.compile(r"address (is )?already in use|EADDRINUSE|port is already (allocated|in use)", re.IGNORECASE)
_PLACE = re.compile(r'File "(?:.*/)?(services/[^"]+)", line (\d+)')
_NO_MODULE = re.compile(r"No module named '?(services(?:\.\w+)+)")
_NO_FILE = re.compile(r"No such file or directory: '(?:.*/)?(services/[^']+)'")
_BAD = ("error", "critical", "fatal")


@dataclass(frozen=True)
class Complaint:
    """The last error that a process reported. `at` (epoch seconds) is the line's time; `message_id` is the message being handled."""

    text: str
    at: float | None = None
    message_id: str | None = None

    @property
    def last_line(self) -> str:
        return next((line.strip() for line in reversed(self.text.splitlines()) if line.strip()), "")


@dataclass(frozen=True)
class Mistake:
    """The place in the services' files where an exception was raised, for example `services/orders/app.py`, and its last line.

    `missing` is the services' file or module that was not found.
    """

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
    """Return the last place in the services' files that a failed service's output names, or None when it names none."""
    places = _PLACE.findall(text)
    last_line = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    file, line = places[-1] if places else ("", "0")
    if found := _NO_MODULE.search(last_line):
        return Mistake(file, int(line), last_line, f"{found[1].replace('.', '/')}.py")
    if found := _NO_FILE.search(last_line):
        return Mistake(file, int(line), last_line, found[1])
    return Mistake(file, int(line), last_line) if places else None


def complaint(lines: Sequence[str]) -> Complaint | None:
    """Find the last complaint of one process: a service's JSON line, or the traceback that Python prints at the end."""
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
    """Whether the process ended because another program listened on its port."""
    taken = (line for line in lines if _PORT_IS_TAKEN.search(line))
    return any("port" not in line.lower() or any(str(number) in line for number in numbers) for line in taken)


def port_taken(stack: Stack, runtime: Runtime, component: str, ended: float | None = None) -> str | None:
    """Return a phrase that says which program holds, or held, a port of the component; None when that was not the reason.

    Considers the process that ended at `ended` (epoch seconds), by default the last process.
    """
    numbers, is_service = stack.ports_of(component), stack[component].kind == "service"
    lines = runtime.process_log(component, LINES, ended)
    complains = lines is not None and complains_of_port(lines[-COMPLAINTS:], *numbers)
    if (
        (complains or lines is None or not is_service)
        and not runtime.runs(component)
        and (held := port_choice.first_held(numbers)) is not None
    ):
        return f"its port {held} is held by {port_choice.holder(held)}"
    return f"its port {' or '.join(map(str, numbers))} was held by another program when it started" if complains else None


def doing(runtime: Runtime, component: str) -> str | None:
    """Return a phrase that says what a component does that runs without progress, or None when that is unknown."""
    lines = runtime.process_log(component, LINES)
    if lines is None:
        return None
    uses = runtime.processor_percent(component)
    busy = "" if uses is None else f", and uses {uses:.0f} % of a processor"
    status = runtime.status().get(component)
    since = "" if status is None or status.uptime_s is None else f" {status.uptime_s:.0f} s ago"
    words = complaint(lines)
    what = f"last reported {words.last_line.rstrip('.')}; it" if words else "has reported no error since it" if lines else None
    return f"{component} {what or 'has logged nothing since it'} was started{since}{busy}"
