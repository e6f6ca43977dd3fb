"""labkit's side of the control directory: write what is armed, read acknowledgements and hits. See docs/control-directory.md.

The ledger alone decides what is armed: every fault in it that targets a service and is not being healed.
"""

import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.errors import ExitCode, UserError
from labkit.faults.ledger import ACTIVE, INTENDED, Fault, Ledger
from labkit.stack import runtimes
from labkit.stack.model import Stack
from labkit.stack.runtime import CUT, FAILED, RUNNING, STOPPED

VERSION = 1
ACKNOWLEDGE_S = 5.0  # a slow mount shows changes within this time
ASK_EVERY_S = 0.25
LOOK_S = 0.01
_STATES = {FAILED: "not running: it ended by itself", STOPPED: "not running"}


@dataclass(frozen=True)
class Acknowledgement:
    """A service's last acknowledgement: the generation that it has loaded, and the failpoints and routes that can be armed in it."""

    generation: int
    pid: int
    points: frozenset[str]
    routes: frozenset[str]


class NotAcknowledged(UserError):
    """The fault is not armed in all services. `targets` maps each such component to the reason."""

    def __init__(self, targets: dict[str, str], what: str = "armed") -> None:
        self.targets = targets
        sentence = "; ".join(f"{name} {why}" for name, why in targets.items())
        super().__init__(f"Nothing was {what}: {sentence}.", "labkit status", exit_code=ExitCode.UNKNOWN)


def directory(stack_directory: Path) -> Path:
    return stack_directory / "control"


def write_armed(ledger: Ledger) -> int:
    """Write the armed file from the ledger. Returns its generation."""
    with ledger.lock():
        faults = [
            {"id": fault.id, "until": fault.until, **{k: v for k, v in entry.items() if v is not None}}
            for fault in ledger.open()
            if fault.state in (INTENDED, ACTIVE)
            for entry in fault.settings.get("armed", [])
        ]
        folder = directory(ledger.directory)
        own = {path.name for path in (folder / "hits").glob("*")}
        known = [ack.generation for name in own if (ack := acknowledged(ledger.directory, name))]
        generation = 1 + max([_generation(folder), *known])
        for part in (folder, folder / "armed", folder / "hits"):
            part.mkdir(exist_ok=True)
        for name in {str(fault["target"]) for fault in faults if "target" in fault} - own:
            (folder / "hits" / name).mkdir(exist_ok=True)
            (folder / "hits" / name).chmod(0o777)  # a container may run as another user
        file = folder / "armed" / "armed.json"
        aside = file.with_name(f".armed.{os.getpid()}")
        with aside.open("w") as out:
            json.dump({"version": VERSION, "generation": generation, "faults": faults}, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        aside.chmod(0o644)
        aside.replace(file)
        return generation


def _generation(folder: Path) -> int:
    try:
        return int(json.loads((folder / "armed" / "armed.json").read_text())["generation"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return 0


def armed_ids(stack_directory: Path) -> set[str]:
    """Return the ids of the faults in the armed file."""
    try:
        faults = json.loads((directory(stack_directory) / "armed" / "armed.json").read_text())["faults"]
        return {str(fault["id"]) for fault in faults}
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return set()


def acknowledged(stack_directory: Path, component: str) -> Acknowledgement | None:
    try:
        said = json.loads((directory(stack_directory) / "hits" / component / "ack.json").read_text())
        return Acknowledgement(int(said["generation"]), int(said["pid"]), frozenset(said["points"]), frozenset(said["routes"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def await_disarmed(stack: Stack, targets: Iterable[str], generation: int) -> None:
    """Return when each target has loaded this generation or has stopped. A stopped service loads it first when it starts.

    Raises NotAcknowledged with the targets that run and do not answer.
    """
    waiting = set(targets)
    while waiting:
        try:
            await_acknowledgement(stack, waiting, generation)
            return
        except NotAcknowledged as late:
            seen = runtimes.of_stack(stack).status()
            silent = {name: why for name, why in late.targets.items() if seen[name].state in (RUNNING, CUT)}
            down = {name for name in waiting if seen[name].state not in (RUNNING, CUT)}
            if silent and not down:
                raise NotAcknowledged(silent, "disarmed") from None
            waiting -= down or set(late.targets)


def await_acknowledgement(stack: Stack, targets: Iterable[str], generation: int, *, timeout: float = ACKNOWLEDGE_S) -> None:
    """Return when each target has loaded this generation. Raises NotAcknowledged with the targets that do not run or do not answer."""
    missing = set(targets)
    begun = asked = time.monotonic()
    while True:
        missing = {name for name in missing if (said := acknowledged(stack.directory, name)) is None or said.generation < generation}
        if not missing:
            return _refuse_down(stack, targets)
        now = time.monotonic()
        if now - asked > ASK_EVERY_S or now - begun > timeout:
            asked = now
            _refuse_down(stack, missing)
            if now - begun > timeout:
                raise NotAcknowledged(dict.fromkeys(sorted(missing), f"runs and has not acknowledged in {timeout:.0f} s"))
        time.sleep(LOOK_S)


def _refuse_down(stack: Stack, targets: Iterable[str]) -> None:
    seen = runtimes.of_stack(stack).status()
    down = {
        name: f"is {_STATES.get(seen[name].state, seen[name].state)}" for name in sorted(targets) if seen[name].state not in (RUNNING, CUT)
    }
    if down:
        raise NotAcknowledged(down)


def hits(stack_directory: Path, fault: Fault) -> list[dict[str, Any]]:
    """Return what the services wrote about this fault, in the order in which each service wrote it."""
    found = []
    for component in sorted({str(entry["target"]) for entry in fault.settings.get("armed", [])}):
        path = directory(stack_directory) / "hits" / component / "hits.jsonl"
        try:
            lines = path.read_bytes().splitlines()
        except OSError:
            continue
        found += [{"component": component, **hit} for line in lines if (hit := _hit(line, fault.id)) is not None]
    return found


def _hit(line: bytes, fault_id: str) -> dict[str, Any] | None:
    """Parse a hit of this fault. Returns None for an incomplete line or a line of another fault."""
    if fault_id.encode() not in line:
        return None
    try:
        hit = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if isinstance(hit, dict) and isinstance(position := hit.get("position"), str) and position.isdecimal():
        hit["position"] = int(position)
    ours = isinstance(hit, dict) and str(hit.get("fault")) == fault_id and isinstance(hit.get("what"), str)
    return hit if ours and isinstance(hit.get("time"), int | float) else None
