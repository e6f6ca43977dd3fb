"""Which handler each service called for a message, and Python's warnings, both from the services' logs.

This information is for people. No verdict depends on it.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from labkit.stack.runtime import Runtime
from labkit.system.model import Profile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LINES = 4000  # lines at the end of a log that are searched
LONGEST = 300  # characters of a warning that are stored
_WARNING = re.compile(r"^(?P<file>\S.*?):(?P<line>\d+): (?P<what>\w*Warning: .+)$")


def load(connection: "DuckDBPyConnection", runtime: Runtime, profile: Profile) -> None:
    """Load the handlers and warnings of all services that subscribe to a channel into the evidence."""
    for component in dict.fromkeys(subscription.component for subscription in profile.subscriptions):
        lines = runtime.log(component, LINES)
        _insert(connection, "handlings", component, list(handled(lines)))
        current = runtime.process_log(component, LINES)  # only the current process: an earlier one may have run other code
        _insert(connection, "warnings", component, [(text,) for text in warned(lines if current is None else current)])


def handled(lines: Iterable[str]) -> Iterable[tuple[str, str | None]]:
    """Yield (message id, handler). The handler is None if the service took the message without calling one."""
    for line in lines:
        if '"handled"' not in line:
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and entry.get("event") == "handled" and isinstance(entry.get("message_id"), str):
            handler = entry.get("handler")
            yield entry["message_id"], handler if isinstance(handler, str) else None


def warned(lines: Iterable[str]) -> list[str]:
    """Return each warning once: `RuntimeWarning: coroutine 'release' was never awaited (handlers.py, line 36)`."""
    found = (match for line in lines if (match := _WARNING.match(line)))
    return list(dict.fromkeys(f"{m['what'][:LONGEST]} ({m['file'].rpartition('/')[2]}, line {m['line']})" for m in found))


def _insert(connection: "DuckDBPyConnection", table: str, component: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        connection.execute(f"INSERT INTO {table} SELECT ?, {', '.join('unnest(?)' for _ in columns)}", [component, *columns])
