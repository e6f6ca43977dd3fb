"""The start time-out of each component, from the duration of its earlier starts. `LABKIT_START_TIMEOUT` overrides it.

`starts.json` in the stack's directory has the durations of each component's last starts, in seconds.
"""

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from labkit import paths
from labkit.errors import Damaged, ExitCode, UserError

FILE = "starts.json"
VARIABLE = "LABKIT_START_TIMEOUT"
KEPT = 5  # number of starts per component
PATIENCE = 3.0  # factor on the longest recorded start
LONGEST = 600.0  # seconds


def timeout(directory: Path, component: str, usual: float) -> float:
    """Return the time-out in seconds. Raises UserError when LABKIT_START_TIMEOUT is not a number of seconds."""
    if (asked := os.environ.get(VARIABLE)) is not None:
        return _seconds(asked)
    took = max(_known(directory).get(component, [0.0]))
    return max(usual, min(took * PATIENCE, LONGEST))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UserError(f"{VARIABLE} is {text!r}, not a number of seconds.", f"export {VARIABLE}=120", exit_code=ExitCode.USAGE)
    return seconds


def note(directory: Path, took: Mapping[str, float]) -> None:
    """Record the durations of these starts. Ignores a failed write."""
    known = _known(directory)
    for component, seconds in took.items():
        known[component] = [*known.get(component, []), round(seconds, 1)][-KEPT:]
    with suppress(OSError):
        paths.write(directory / FILE, json.dumps(known))


def _known(directory: Path) -> dict[str, list[float]]:
    try:
        read = paths.read_json(directory / FILE, dict, "labkit up")
    except (OSError, Damaged):
        return {}
    return {name: took for name, took in read.items() if isinstance(took, list) and took and all(map(_is_time, took))}


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value < math.inf
