"""What a service's log says about a failed request, or about its most recent problem. Messages quote it; no verdict depends on it."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from labkit.checking.contract import shown_text
from labkit.explanation import Fact
from labkit.stack import runtimes
from labkit.stack.model import Stack

LINES = 2000  # the number of lines read from the end of a log
EARLIER_S = 0.05  # tolerance: times in a log have milliseconds
_OWNER = (
    (re.compile(r"/customers/\d+/orderhistory"), "order-history"),
    (re.compile(r"/customers(/.*)?"), "customers"),
    (re.compile(r"/orders(/.*)?"), "orders"),
)


def owner_of(path: str) -> str:
    """Return the service that answers requests to this path."""
    return next((service for pattern, service in _OWNER if pattern.fullmatch(path)), "gateway")


def about_request(stack: Stack, method: str, path: str, since: float) -> list[Fact]:
    """Return the exception that ended a request, as logged by its service since then (epoch seconds)."""
    service = owner_of(path)
    return [
        Fact(f"{service} raised {what}", f"labkit logs {service}")
        for said, what in _said(stack, service, since)
        if said.get("method") == method and said.get("path") == path
    ][-1:]


def lately(stack: Stack, service: str, since: float) -> list[Fact]:
    """Return the service's most recent exception since then (epoch seconds)."""
    return [Fact(f"{service} raised {what}", f"labkit logs {service}") for _, what in _said(stack, service, since)][-1:]


def _said(stack: Stack, service: str, since: float) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the log entries since then that contain an exception, each with the exception on one line and its place in the service's own
    files."""
    for said in _lines(runtimes.of_stack(stack).log(service, LINES)):
        time, text = said.get("time"), said.get("traceback") or said.get("cause") or said.get("error")
        if isinstance(time, int | float) and time >= since - EARLIER_S and isinstance(text, str) and text.strip():
            yield said, in_one_line(text)


def _lines(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("{"):
            try:
                said = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(said, dict):
                yield said


def in_one_line(text: str) -> str:
    """Return an exception on one line, for example `KeyError: 'total' (services/orders/app.py, line 80)`."""
    what = text.strip().splitlines()[-1].strip()
    places = re.findall(r'File "[^"]*?((?:services/)?[^/"]+/[^/"]+\.py)", line (\d+)', text)
    own = [(file, line) for file, line in places if file.startswith("services/")] or places
    return shown_text(what) + (f" ({own[-1][0]}, line {own[-1][1]})" if own else "")
