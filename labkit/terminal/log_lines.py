"""Log lines for people (time, message, handler and duration) and for programs."""

import json
import time
from typing import Any

SHOWN_ELSEWHERE = ("time", "event", "traceback", "level")


def readable(line: str) -> str:
    """Return `TIME  EVENT AGGREGATE (message id)  HANDLER  14 ms`. A line that is not in the services' own format stays unchanged."""
    if not line.startswith("{"):
        return line
    try:
        said = json.loads(line)
        at = said["time"]
        when = time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at % 1 * 1000):03}"
        return f"{when}  {_handled(said) if said['event'] == 'handled' else _other(said)}"
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError, OSError):
        return line


def as_json(component: str, line: str) -> str:
    """Return one document: `{"time": …, "event": …, "component": "orders"}` for a service's own line, else `{"line": "…", "component":
    …}`."""
    try:
        said = json.loads(line) if line.startswith("{") else None
    except (ValueError, RecursionError):
        said = None
    return json.dumps({**(said if isinstance(said, dict) else {"line": line}), "component": component}, ensure_ascii=False)


def _handled(said: dict[str, Any]) -> str:
    event, took = str(said["type"]).removesuffix("Event"), (said["commit"] - said["begin"]) * 1000
    message = f"{event} {said.get('aggregate_id') or ''}".rstrip()
    return f"{message:28}  {said.get('handler') or '(no handler)':28}  {took:4.0f} ms  {said.get('message_id') or ''}".rstrip()


def _other(said: dict[str, Any]) -> str:
    details = ", ".join(f"{name} {_short(value)}" for name, value in said.items() if name not in SHOWN_ELSEWHERE and value is not None)
    mark = "✗ " if said.get("level") in ("error", "critical") else ""
    trace = said.get("traceback")
    return f"{mark}{said['event']}{f': {details}' if details else ''}" + "".join(f"\n    {row}" for row in str(trace or "").splitlines())


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
