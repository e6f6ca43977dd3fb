"""The fault ledger, `faults.jsonl` in the stack's directory: a write-ahead log of faults and of how to undo them.

Each line is one event: `intent` (with all fields of the fault), `applied`, `note`, `healing`, `healed`. The last event that sets a state
decides the fault's state. Each line is synced before the action, so that after any crash of labkit the next command knows what may be
present.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from labkit.errors import Damaged
from labkit.stack import processes

INTENDED, ACTIVE, HEALING, HEALED = "intended", "active", "healing", "healed"
BY_HAND, SCENARIO = "by hand", "scenario"
_STATES = {"intent": INTENDED, "applied": ACTIVE, "healing": HEALING, "healed": HEALED}


@dataclass(frozen=True)
class Owner:
    """The process that is responsible for a fault. A scenario's fault ends with its process; a fault that was set by hand stays."""

    kind: str
    pid: int
    start: str  # the process's start time, as in processes.Process
    command: str = ""

    def alive(self) -> bool:
        return processes.Process(self.pid, self.start).alive()


def this_process(kind: str, command: str) -> Owner:
    me = processes.identified(os.getpid())
    return Owner(kind, me.pid, me.start, command)


@dataclass(frozen=True)
class Fault:
    """`settings` has all that the primitive needs to apply and undo the fault. `facts` are what the primitive found out. Times are epoch
    seconds.
    """

    id: str
    verb: str
    target: str  # a component, or the other object that it acts on
    said: str  # its effect, as a sentence without a full stop
    settings: dict[str, Any]
    owner: Owner
    made: float
    until: float | None = None
    state: str = INTENDED
    facts: dict[str, Any] = field(default_factory=dict)
    applied: float | None = None
    healing: float | None = None
    healed: float | None = None
    healer: Owner | None = None  # the process that is healing it, or last tried

    @property
    def over(self) -> bool:
        return self.state == HEALED

    @property
    def by_hand(self) -> bool:
        return self.owner.kind == BY_HAND

    def overdue(self, now: float) -> bool:
        """Whether its time is up and no process is still applying it."""
        return self.until is not None and now >= self.until and not (self.state == INTENDED and self.owner.alive())

    def left_behind(self, now: float) -> bool:
        """Whether it should be gone: its scenario ended without healing it, labkit died while working on it, or its time is up."""
        if self.over:
            return False
        if self.state == HEALING:
            return self.healer is None or not self.healer.alive()
        if self.overdue(now):
            return True
        return not self.owner.alive() and (self.state == INTENDED or not self.by_hand)


class Ledger:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "faults.jsonl"

    @contextmanager
    def lock(self, name: str = "faults.lock") -> Iterator[None]:
        """Let one process in at a time; others wait. Callers hold the lock only briefly."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / name).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def intend(self, verb: str, target: str, said: str, settings: dict[str, Any], owner: Owner, until: float | None) -> Fault:
        """Record an action before it is taken. Returns the new fault."""
        with self.lock():
            number = max((int(fault.id) for fault in self.all()), default=0) + 1
            fault = Fault(str(number), verb, target, said, settings, owner, round(time.time(), 6), until)
            self._append({"event": "intent", "id": fault.id, "fault": asdict(fault)})
        return fault

    def tell(self, event: str, fault: Fault, facts: dict[str, Any] | None = None, owner: Owner | None = None) -> Fault:
        """Record `applied`, `note`, `healing` or `healed`. Returns the updated fault."""
        line: dict[str, Any] = {"event": event, "id": fault.id, "time": round(time.time(), 6), "facts": facts or {}}
        if owner is not None:
            line["owner"] = asdict(owner)
        with self.lock():
            self._append(line)
        return _after(fault, line)

    def _append(self, line: dict[str, Any]) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            torn = os.fstat(file).st_size and not self._ends_whole()
            os.write(file, (("\n" if torn else "") + json.dumps(line) + "\n").encode())
            os.fsync(file)
        finally:
            os.close(file)

    def _ends_whole(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def all(self) -> list[Fault]:
        """Return every fault since the stack's data was created, oldest first. Raises Damaged when the file cannot be read."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Damaged(self.path, error.strerror or "it cannot be read", "labkit down, which moves it aside") from error
        known, faults = _read.get(self.path, (b"", {}))
        if not text.startswith(known):
            known, faults = b"", {}
        faults = dict(faults)
        whole = text.rfind(b"\n") + 1
        _take(faults, text[len(known) : whole])
        _read[self.path] = text[:whole], dict(faults)
        _take(faults, text[whole:])
        return list(faults.values())

    def since(self, size: int) -> list[Fault]:
        """Return the faults that were not yet healed when the ledger was `size` bytes long, oldest first."""
        faults = self.all()
        before: dict[str, Fault] = {}
        if faults and size:
            _take(before, self.path.read_bytes()[:size])
        return [fault for fault in faults if fault.id not in before or not before[fault.id].over]

    def open(self) -> list[Fault]:
        """Return the faults that are not healed, oldest first."""
        return [fault for fault in self.all() if not fault.over]

    def get(self, fault_id: str) -> Fault | None:
        return next((fault for fault in self.all() if fault.id == fault_id), None)


_read: dict[Path, tuple[bytes, dict[str, Fault]]] = {}
"""For each ledger, the bytes that this process has parsed and the faults in them. The file only grows and is read often."""


def _take(faults: dict[str, Fault], lines: bytes) -> None:
    """Apply the events in these lines to `faults`."""
    for line in lines.decode("utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
            if event["event"] == "intent":
                fault = _fault(event["fault"])
                faults[fault.id] = fault
            else:
                faults[event["id"]] = _after(faults[event["id"]], event)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue  # a line that a crash cut off


def _fault(data: dict[str, Any]) -> Fault:
    fault = Fault(**{**data, "id": str(int(data["id"])), "owner": Owner(**data["owner"]), "healer": None})
    if not all(isinstance(each, dict) for each in (fault.settings, fault.facts)) or not isinstance(fault.made, int | float):
        raise TypeError("no fault")
    return fault


def _after(fault: Fault, event: dict[str, Any]) -> Fault:
    facts = {**fault.facts, **event.get("facts", {})}
    changed = replace(fault, facts=facts, state=_STATES.get(event["event"], fault.state))
    match event["event"]:
        case "applied":
            return replace(changed, applied=event["time"])
        case "healing":
            return replace(changed, healing=event["time"], healer=Owner(**event["owner"]) if event.get("owner") else None)
        case "healed":
            return replace(changed, healed=event["time"])
    return changed
