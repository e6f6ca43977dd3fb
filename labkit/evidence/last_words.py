"""What a component wrote last about what went wrong: for people, decides no verdict."""

import json
from datetime import datetime
from typing import Any

from labkit.evidence.environment import utc
from labkit.stack.runtime import Runtime

LINES = 2000  # of a log's end that are looked through
LONGEST = 8000  # characters that are kept


def rows(runtime: Runtime, components: list[str]) -> list[dict[str, Any]]:
    """For the evidence; nothing of a component that has not complained."""
    found = (of(runtime.log(component, LINES)) for component in components)
    return [{"component": name, "said": at, "message_id": message, "text": text} for name, it in zip(components, found, strict=True) if it
            for at, message, text in [it]]  # fmt: skip


def of(lines: list[str]) -> tuple[datetime | None, str | None, str] | None:
    """(when, message in hand, text) of the last exception in a service's log: one of its own JSON lines, or what Python prints when it
    ends by an exception."""
    for number in range(len(lines) - 1, -1, -1):
        line = lines[number]
        if line.startswith("Traceback (most recent call last)"):
            return None, None, "\n".join(lines[number:])[-LONGEST:]
        if not line.startswith("{"):
            continue
        try:
            said = json.loads(line)
        except ValueError:
            continue
        text = said.get("traceback") or said.get("cause") or said.get("error")
        if text:
            at = said.get("time")
            return utc(float(at)) if isinstance(at, int | float) else None, said.get("message_id"), str(text)[-LONGEST:]
    return None
