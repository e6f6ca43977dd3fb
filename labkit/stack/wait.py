"""Waiting for conditions, never for time: each component has a probe; who waits too long learns what it looked like."""

import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from labkit.errors import UserError
from labkit.stack import ports
from labkit.stack.runtime import Runtime

INTERVAL, SLOWEST = 0.02, 0.2  # seconds between two probes of one component: at first, and when it takes long
LAST_LINES, LINES_KEPT = 8, 40  # of a log: shown, and looked through for a known cause

Probe = Callable[[], str | None]
"""None when ready, else a few words on what is missing. Must not raise or take longer than about a second."""


@dataclass(frozen=True)
class Waiting:
    """One component that is to become ready."""

    component: str
    runtime: Runtime
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
        self.log = waiting.runtime.log(waiting.component, LINES_KEPT)
        log = self.log[-LAST_LINES:]
        details = [f"last lines of its log (labkit logs {waiting.component}):", *(f"  {line}" for line in log)] if log else []
        super().__init__(f"{waiting.component} did not get ready in {seconds:.0f} s: {why}.", "labkit up", details=details)
        self.component = waiting.component


def wait_all(waits: Iterable[Waiting], *, since: float, tell: Callable[[Ready], None], tick: Callable[[], None] = lambda: None) -> None:
    """Wait for all at once; they were started at `since` (epoch seconds).

    Raises NotReady or PortTaken for the first that ended or took too long."""
    waits = list(waits)
    results: queue.SimpleQueue[Ready | Exception] = queue.SimpleQueue()
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
            if isinstance(result, Exception):
                raise result
            missing -= 1
            tell(result)
    finally:
        given_up.set()


def _wait(waiting: Waiting, since: float, results: "queue.SimpleQueue[Ready | Exception]", given_up: threading.Event) -> None:
    try:
        results.put(_ready(waiting, since, given_up))
    except Exception as error:  # told where it is waited for
        results.put(error)


def _ready(waiting: Waiting, since: float, given_up: threading.Event) -> Ready:
    """Raises NotReady, and PortTaken when it ended because somebody else has its port."""
    runtime, component, ran = waiting.runtime, waiting.component, False
    while True:
        running = runtime.runs(component)
        ran = ran or running
        why = waiting.probe() if running else "it does not run"
        if why is None and not runtime.is_ours(component, waiting.port):
            why = f"another program answers on its port {waiting.port}"  # ours is about to find that out, and to end
        seconds = time.time() - since
        if why is None:
            return Ready(component, seconds)
        if not running and (end := runtime.last_end(component, since) if ran else runtime.start_failed(component, since)):
            if not ports.is_free(waiting.port):
                raise ports.PortTaken(
                    f"Port {waiting.port}, which was free for {component}, was taken by another program in the meantime.",
                    "labkit up, which takes the next free one",
                )
            raise NotReady(waiting, waiting.timeout, f"it ended after {max(0.0, end.time - since):.1f} s {end}")
        if seconds > waiting.timeout:
            raise NotReady(waiting, waiting.timeout, why)
        if given_up.wait(min(INTERVAL * (1 + seconds), SLOWEST)):
            raise NotReady(waiting, seconds, why)
