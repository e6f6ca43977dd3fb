"""Wait for conditions instead of fixed times. Each component has a probe; a time-out error shows the component's last state."""

import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from labkit.errors import ExitCode, UserError
from labkit.stack import complaints, port_choice, start_times
from labkit.stack.runtime import End, Runtime

INTERVAL, SLOWEST = 0.02, 0.2  # seconds between two probes of a component: initial and maximum
AT_ONCE_S = 2.0
LAST_LINES, LINES_KEPT = 8, 40  # last log lines that are shown, and that are searched for a known cause

Probe = Callable[[], str | None]
"""Returns None when ready, else a short phrase that says what is missing. Must not raise or take longer than about a second."""


@dataclass(frozen=True)
class Awaited:
    """A component to wait for."""

    component: str
    runtime: Runtime
    probe: Probe
    timeout: float
    ports: tuple[int, ...]  # its ports; the probe uses the first
    is_service: bool


@dataclass(frozen=True)
class Ready:
    component: str
    seconds: float


class NotReady(UserError):
    """A component did not become ready. Carries the diagnosis and the next step for a person.

    The diagnosis says how the component ended and where in its code, or what it wrote last, with the log of that process alone. A service
    that ended by itself counts as failed; any other cause leaves the verdict unknown. `seconds` is the time until it ended or the wait was
    given up.
    """

    def __init__(self, waiting: Awaited, seconds: float, why: str, end: End | None = None) -> None:
        runtime, component = waiting.runtime, waiting.component
        own = runtime.process_log(component, LINES_KEPT)
        self.log = runtime.log(component, LINES_KEPT) if own is None else own
        self.mistake = complaints.mistake("\n".join(self.log)) if end is not None and waiting.is_service else None
        log = self.log[-LAST_LINES:]
        details = [f"last lines of its log (labkit logs {component}):", *(f"  {line}" for line in log)] if log else []
        if end is None and runtime.runs(component) and (doing := complaints.doing(runtime, component)) is not None:
            details = [doing, *(["", *details] if details else [])]
        by_itself = end is not None and waiting.is_service and end.signal is None and end.exit_code != 0
        exit_code = ExitCode.FAIL if by_itself else None
        message = f"{component} did not get ready in {seconds:.0f} s: {why.rstrip('.')}."
        if end is not None:
            lasted = "at once" if seconds < AT_ONCE_S else f"after {seconds:.0f} s"
            words = complaints.complaint(self.log)
            what = f": {self.mistake or (words.last_line if words else '')}" if self.mistake or words else f" {why}"
            message = f"{component} ended {lasted}{what.rstrip('.')}."
        next_step = "labkit up" if end else f"labkit up, which waits again; or {start_times.VARIABLE}=300 labkit up, which waits longer"
        super().__init__(message, next_step, details=details, exit_code=exit_code)
        self.component, self.ended = component, end is not None


def wait_all(waits: Iterable[Awaited], *, since: float, tell: Callable[[Ready], None], tick: Callable[[], None] = lambda: None) -> None:
    """Wait for all of these components in parallel. `since` is when they were started (epoch seconds).

    Raises NotReady or PortTaken for the first component that ended or took too long.
    """
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


def _wait(waiting: Awaited, since: float, results: "queue.SimpleQueue[Ready | Exception]", given_up: threading.Event) -> None:
    try:
        results.put(_ready(waiting, since, given_up))
    except Exception as error:  # the waiting thread raises it
        results.put(error)


def _ready(waiting: Awaited, since: float, given_up: threading.Event) -> Ready:
    """Wait for one component. Raises NotReady, or PortTaken when it ended because another program has its port."""
    runtime, component, ran = waiting.runtime, waiting.component, False
    while True:
        running = runtime.runs(component)
        ran = ran or running
        why = waiting.probe() if running else "it is not running"
        if why is None and not runtime.owns_port(component, waiting.ports[0]):
            why = f"another program answers on its port {waiting.ports[0]}"  # our process will soon notice the conflict and end
        seconds = time.time() - since
        if why is None:
            return Ready(component, seconds)
        if not running and (end := runtime.last_end(component, since) if ran else runtime.start_failed(component, since)):
            if (taken := _port_taken(waiting)) is not None:
                raise port_choice.PortTaken(taken, "labkit up, which takes the next free one")
            raise NotReady(waiting, max(0.0, end.time - since), str(end), end)
        if seconds > waiting.timeout:
            raise NotReady(waiting, waiting.timeout, why)
        if given_up.wait(min(INTERVAL * (1 + seconds), SLOWEST)):
            raise NotReady(waiting, seconds, why)


def _port_taken(waiting: Awaited) -> str | None:
    """Return a sentence about the program that took one of the ports after they were chosen, perhaps briefly.

    Returns None when the component did not end for that reason.
    """
    if (held := port_choice.first_held(waiting.ports)) is not None:
        return f"Port {held}, which was free for {waiting.component}, is held by {port_choice.holder(held)}."
    lines = waiting.runtime.process_log(waiting.component, complaints.COMPLAINTS) or []
    if complaints.complains_of_port(lines, *waiting.ports) and complaints.mistake("\n".join(lines)) is None:
        return f"A port that was free for {waiting.component} was held by another program when it started."
    return None
