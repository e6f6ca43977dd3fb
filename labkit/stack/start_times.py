"""How long a component may take to become ready: what it took before tells, and `LABKIT_START_TIMEOUT` decides.

`starts.json` in the stack's directory holds the seconds that each component's last starts took.
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
KEPT = 5  # starts of each component
PATIENCE = 3.0  # times what it took at most
LONGEST = 600.0  # seconds


def timeout(directory: Path, component: str, usual: float) -> float:
    """Seconds. Raises UserError for a setting that is not a number of seconds."""
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
        raise UserError(f"{VARIABLE} is {text!r}, and not a number of seconds.", f"export {VARIABLE}=120", exit_code=ExitCode.USAGE)
    return seconds


def note(directory: Path, took: Mapping[str, float]) -> None:
    """Write down what these starts took; a disk that does not take it is no reason to fail."""
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
