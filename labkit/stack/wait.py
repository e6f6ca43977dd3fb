"""Waiting for conditions, never for time: each component has a probe; who waits too long learns what it looked like."""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import UserError
from labkit.stack import processes

INTERVAL = 0.02  # seconds between two probes of one component
LAST_LINES, LINES_KEPT = 8, 40  # of a log: shown, and looked through for a known cause

Probe = Callable[[], str | None]
"""None when ready, else a few words on what is missing. Must not raise or take longer than about a second."""


@dataclass(frozen=True)
class Waiting:
    """One component that is to become ready."""

    component: str
    directory: Path
    probe: Probe
    timeout: float
    port: int


@dataclass(frozen=True)
class Ready:
    component: str
    seconds: float


class NotReady(UserError):
    """Carries what a person needs: how it ended or what it said last, its log, and the next step."""

    def __init__(self, waiting: Waiting, seconds: float, why: str) -> None:
        self.log = last_lines(waiting.directory / "logs" / f"{waiting.component}.log", LINES_KEPT)
        log = self.log[-LAST_LINES:]
        details = [f"last lines of its log (labkit logs {waiting.component}):", *(f"  {line}" for line in log)] if log else []
        super().__init__(f"{waiting.component} did not get ready in {seconds:.0f} s: {why}.", "labkit up", details=details)
        self.component = waiting.component


def last_lines(path: Path, count: int = LAST_LINES, *, size: int = 64 * 1024) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return []


def last_end(directory: Path, component: str, since: float) -> dict[str, object] | None:
    """The last end of a component that the supervisor wrote down after `since` (epoch seconds)."""
    for line in reversed(last_lines(directory / "events.jsonl", 200)):
        try:
            event: dict[str, object] = json.loads(line)
        except ValueError:
            continue
        if event.get("component") == component and event.get("event") == "end" and float(str(event["time"])) >= since:
            return event
    return None


def wait_all(waits: Iterable[Waiting], *, since: float, tell: Callable[[Ready], None], tick: Callable[[], None] = lambda: None) -> None:
    """Wait for all at once; they were started at `since` (epoch seconds). Raises NotReady for the first that ended or took too long."""
    waits = list(waits)
    results: queue.SimpleQueue[Ready | NotReady] = queue.SimpleQueue()
    given_up = threading.Event()
    for waiting in waits:
        work = (waiting, since, results, given_up)
        threading.Thread(target=_wait, args=work, name=f"wait-{waiting.component}", daemon=True).start()
    try:
        missing = len(waits)
        while missing:
            try:
                result = results.get(timeout=0.1)
            except queue.Empty:
                tick()
                continue
            if isinstance(result, NotReady):
                raise result
            missing -= 1
            tell(result)
    finally:
        given_up.set()


def _wait(waiting: Waiting, since: float, results: "queue.SimpleQueue[Ready | NotReady]", given_up: threading.Event) -> None:
    while not given_up.is_set():
        running = processes.running(waiting.directory, waiting.component)
        why = waiting.probe() if running else "it does not run"
        if why is None and running and not processes.listens(running, waiting.port):
            why = f"another program answers on its port {waiting.port}"  # ours is about to find that out, and to end
        seconds = time.time() - since
        if why is None:
            results.put(Ready(waiting.component, seconds))
            return
        if not running and (end := last_end(waiting.directory, waiting.component, since)):
            how = f"exit code {end['exit_code']}" if "exit_code" in end else f"signal {end['signal']}"
            after = float(str(end["time"])) - since
            results.put(NotReady(waiting, waiting.timeout, f"it ended after {after:.1f} s with {how}"))
            return
        if seconds > waiting.timeout:
            results.put(NotReady(waiting, waiting.timeout, why))
            return
        given_up.wait(INTERVAL)
