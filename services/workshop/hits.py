"""The hits of armed faults, in this process and earlier ones. Each is a line of a file, written before the process acts on it."""

import os
import time
from pathlib import Path

import msgspec

from services.workshop.fault import identity_of

_encode = msgspec.json.Encoder().encode
SPENT = frozenset({"crash", "met", "not met"})


class Hits:
    """Writes hits, and counts the first attempts that passed each fault. A redelivered message is not a first attempt."""

    def __init__(self) -> None:
        self._file = -1
        self._seen: dict[str, dict[str, int]] = {}  # attempts by fault and message
        self._counts: dict[str, int] = {}
        self._spent: set[str] = set()

    def open(self, path: Path) -> None:
        """Load the hits of earlier processes, and append to the file."""
        for line in path.read_bytes().splitlines() if path.exists() else []:
            try:
                self._remember(msgspec.json.decode(line))
            except (ValueError, KeyError, TypeError, RecursionError):
                continue  # a line cut off by a crash, or invalid
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        if path.stat().st_size and not path.read_bytes().endswith(b"\n"):
            os.write(self._file, b"\n")

    def _remember(self, line: dict[str, object]) -> None:
        fault, what = str(line["fault"]), line["what"]
        if line.get("attempt") == 1:
            self._counts[fault] = self._counts.get(fault, 0) + 1
        identity = identity_of(*(line.get(name) for name in ("message_id", "channel", "partition", "position")))
        if "attempt" in line and identity:
            self._seen.setdefault(fault, {})[identity] = int(str(line["attempt"]))
        if what in SPENT:
            self._spent.add(fault)

    def is_spent(self, fault: str) -> bool:
        return fault in self._spent

    def attempt(self, fault: str, identity: str | None) -> tuple[int, int]:
        """Returns (number of first attempts so far, number of this attempt of its message), both from 1."""
        seen = self._seen.setdefault(fault, {})
        attempt = seen.get(identity, 0) + 1 if identity else 1
        if identity:
            seen[identity] = attempt
        if attempt == 1:
            self._counts[fault] = self._counts.get(fault, 0) + 1
        return self._counts.get(fault, 0), attempt

    def write(self, fault: str, kind: str, what: str, *, sync: bool, **details: object) -> None:
        """Append a hit. With `sync`, return only when the line would survive a crash of the machine."""
        if what in SPENT:
            self._spent.add(fault)
        line = {"version": 1, "fault": fault, "kind": kind, "what": what, **details, "time": round(time.time(), 6), "pid": os.getpid()}
        os.write(self._file, _encode(line) + b"\n")
        if sync:
            os.fsync(self._file)
