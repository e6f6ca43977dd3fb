"""Act on whole components from outside (kill, stop, start, pause, cut), and observe the effect."""

import time
from collections.abc import Callable, Mapping

from labkit.errors import UserError
from labkit.stack import complaints, probes, processes, runtimes
from labkit.stack.model import Stack
from labkit.stack.readiness import wait_all
from labkit.stack.runtime import ALIVE, CUT, NATIVE, PAUSED, RUNNING, ComponentStatus, End

SHOW_S = 5.0  # seconds until the effect on a component is visible
LOOK_S = 0.005


def refuse(stack: Stack, verb: str, name: str) -> None:
    """Raise UserError with the reason and an alternative when this runtime does not support the verb."""
    refusal = runtimes.of_stack(stack).unsupported.get(verb)
    if refusal is not None:
        next_step = (refusal.next_step or "").replace("COMPONENT", name)
        raise UserError(refusal.message, next_step, exit_code=refusal.exit_code, details=refusal.details)


def status(stack: Stack, name: str) -> ComponentStatus:
    return runtimes.of_stack(stack).status()[name]


def state(stack: Stack, name: str) -> str:
    """Return RUNNING, PAUSED, CUT, STOPPED or FAILED of labkit.stack.runtime."""
    return status(stack, name).state


def works(stack: Stack, name: str) -> bool:
    """Whether the component runs and is able to work."""
    return state(stack, name) in (RUNNING, CUT)


def is_down(stack: Stack, name: str) -> bool:
    return not runtimes.of_stack(stack).runs(name)


def identity(stack: Stack, name: str) -> str | None:
    """Return an identifier that distinguishes this run of the component from later runs, or None when it does not run."""
    if stack.runtime == NATIVE:
        process = processes.running(stack.directory, name)
        return f"{process.pid} {process.start}" if process else None
    pid = status(stack, name).pid
    return str(pid) if pid else None


def kill(stack: Stack, name: str) -> None:
    """Send SIGKILL. Returns when the component is gone."""
    runtimes.of_stack(stack).kill([name])


def stop(stack: Stack, name: str) -> None:
    """Ask the component to end, and kill it if it does not."""
    runtimes.of_stack(stack).stop([name])


def start_only(stack: Stack, name: str) -> float:
    """Start the component unless it runs, and wait until it runs (not until it is ready). Returns the start time (epoch seconds)."""
    if not is_down(stack, name):
        return time.time()
    runtime = runtimes.of_stack(stack)
    since = runtime.start([name])
    deadline = time.monotonic() + SHOW_S
    while not runtime.runs(name) and runtime.start_failed(name, since) is None and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    return since


def never_started(stack: Stack, name: str, since: float | None) -> str | None:
    """Return a phrase when the component is down and was not started after `since` (epoch seconds), else None.

    A component that was started since and then ended by itself is no longer the fault's concern.
    """
    started = since is not None and runtimes.of_stack(stack).start_failed(name, since) is not None
    return f"{name} is not running" if is_down(stack, name) and not started else None


def start(stack: Stack, name: str) -> None:
    """Start the component unless it runs, and wait until it is ready. Raises UserError."""
    since = start_only(stack, name)
    wait_all([probes.waiting_for(stack, runtimes.of_stack(stack), name)], since=since, tell=lambda _: None)


def not_ready(stack: Stack, timeout: float | None = None, *, in_vain: Callable[[], bool] = lambda: False) -> dict[str, str]:
    """Wait until all running components are ready. Returns the components that are not ready in time, and why.

    Waits at most `timeout` seconds (by default as long as a start may take) and stops early when `in_vain` returns true.
    """
    runtime = runtimes.of_stack(stack)
    waiting = {name: "" for name in stack.names if runtime.runs(name)}
    if timeout is None:
        timeout = max((probes.start_timeout(stack, name) for name in waiting), default=0.0)
    deadline = time.monotonic() + timeout
    while True:
        for name in list(waiting):
            why = probes.probe_of(stack, name)()
            waiting[name] = why or ""
            if why is None or not runtime.runs(name):
                del waiting[name]
        if not waiting or time.monotonic() > deadline or in_vain():
            return waiting
        time.sleep(0.02)


def still_not_back(stack: Stack, names: Mapping[str, str]) -> dict[str, str]:
    """Return which of these components are still not ready now, and why."""
    return {name: why for name in names if (why := answers(stack, name)) is not None}


def ended_again(stack: Stack, name: str, since: float) -> tuple[str, bool] | None:
    """Return how a component that was started after `since` (epoch seconds) ended again, or None when it runs.

    The result is a phrase, and whether the component ended because another program held its port.
    """
    runtime = runtimes.of_stack(stack)
    if runtime.runs(name) or (end := runtime.start_failed(name, since)) is None:
        return None
    if (taken := complaints.port_taken(stack, runtime, name)) is not None:
        return f"it could not start: {taken}", True
    words = complaints.complaint(runtime.process_log(name, complaints.LINES) or [])
    return f"it ended {end}" + (f": {words.last_line.rstrip('.')}" if words else ""), False


def pause(stack: Stack, name: str) -> None:
    """Freeze the component: it does not work or answer, and its connections stay open."""
    runtimes.of_stack(stack).pause([name])
    _await(stack, name, PAUSED)


def unpause(stack: Stack, name: str, run: str | None) -> None:
    """Continue the paused `run` of the component. Does nothing when a later run has replaced it."""
    if state(stack, name) == PAUSED and identity(stack, name) == run:
        runtimes.of_stack(stack).unpause([name])
        _await(stack, name, RUNNING)


def cut(stack: Stack, name: str) -> None:
    runtimes.of_stack(stack).cut([name])
    _await(stack, name, CUT)


def join(stack: Stack, name: str) -> None:
    runtimes.of_stack(stack).join([name])


def _await(stack: Stack, name: str, wanted: str) -> None:
    deadline = time.monotonic() + SHOW_S
    while (now := state(stack, name)) != wanted and now in ALIVE and time.monotonic() < deadline:
        time.sleep(LOOK_S)


def end_of(stack: Stack, name: str, since: float) -> End | None:
    """Return how the component ended, as its parent saw it, or None when no end was seen since then (epoch seconds)."""
    return runtimes.of_stack(stack).last_end(name, since - 0.001)


def answers(stack: Stack, name: str) -> str | None:
    """Return None when the component answers now, else a short phrase that says what is missing."""
    return probes.probe_of(stack, name)()
