"""What faults do to components as a whole: kill, stop, start, pause, cut, and what can be seen of it from outside."""

import time
from collections.abc import Callable, Mapping

from labkit.errors import UserError
from labkit.stack import complaints, probes, processes, runtimes
from labkit.stack.model import Stack
from labkit.stack.readiness import wait_all
from labkit.stack.runtime import ALIVE, CUT, NATIVE, PAUSED, RUNNING, End, Seen

SHOW_S = 5.0  # seconds until what was done to a component shows
LOOK_S = 0.005


def refuse(stack: Stack, verb: str, name: str) -> None:
    """Raises UserError when this runtime cannot do that, with the reason and what to do instead."""
    refusal = runtimes.of_stack(stack).refused.get(verb)
    if refusal is not None:
        next_step = (refusal.next_step or "").replace("COMPONENT", name)
        raise UserError(refusal.message, next_step, exit_code=refusal.exit_code, details=refusal.details)


def seen(stack: Stack, name: str) -> Seen:
    return runtimes.of_stack(stack).look()[name]


def state(stack: Stack, name: str) -> str:
    """RUNNING, PAUSED, CUT, STOPPED or FAILED of labkit.stack.runtime."""
    return seen(stack, name).state


def works(stack: Stack, name: str) -> bool:
    """Does it run and can it do its work?"""
    return state(stack, name) in (RUNNING, CUT)


def is_down(stack: Stack, name: str) -> bool:
    return not runtimes.of_stack(stack).runs(name)


def identity(stack: Stack, name: str) -> str | None:
    """What tells this run of a component from its next one; None when it does not run."""
    if stack.runtime == NATIVE:
        process = processes.running(stack.directory, name)
        return f"{process.pid} {process.start}" if process else None
    pid = seen(stack, name).pid
    return str(pid) if pid else None


def kill(stack: Stack, name: str) -> None:
    """SIGKILL; returns when it is gone."""
    runtimes.of_stack(stack).kill([name])


def stop(stack: Stack, name: str) -> None:
    """Ask it to end, and kill it when it does not."""
    runtimes.of_stack(stack).stop([name])


def start_only(stack: Stack, name: str) -> float:
    """Start it when it does not run; waits only until it does. Returns since when (epoch seconds)."""
    if not is_down(stack, name):
        return time.time()
    runtime = runtimes.of_stack(stack)
    since = runtime.start([name])
    deadline = time.monotonic() + SHOW_S
    while not runtime.runs(name) and runtime.start_failed(name, since) is None and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    return since


def never_started(stack: Stack, name: str, since: float | None) -> str | None:
    """That it is down and was not started after `since` (epoch seconds): one that was, and ended by itself, is no fault's any more."""
    started = since is not None and runtimes.of_stack(stack).start_failed(name, since) is not None
    return f"{name} does not run" if is_down(stack, name) and not started else None


def start(stack: Stack, name: str) -> None:
    """Start it when it does not run, and wait until it is ready. Raises UserError."""
    since = start_only(stack, name)
    wait_all([probes.waiting_for(stack, runtimes.of_stack(stack), name)], since=since, tell=lambda _: None)


def not_ready(stack: Stack, timeout: float | None = None, *, in_vain: Callable[[], bool] = lambda: False) -> dict[str, str]:
    """Wait until all that runs is ready, as long as a start may take, and no longer than until it is in vain. Returns what is not ready
    when the time is up, and why."""
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
    """Which of these components are not ready at this moment either, and why."""
    return {name: why for name in names if (why := answers(stack, name)) is not None}


def ended_again(stack: Stack, name: str, since: float) -> tuple[str, bool] | None:
    """That a component which was started after `since` (epoch seconds) has ended, and how: a phrase; and whether somebody else's hold on
    its port was the reason. None when it runs."""
    runtime = runtimes.of_stack(stack)
    if runtime.runs(name) or (end := runtime.start_failed(name, since)) is None:
        return None
    if (taken := complaints.port_taken(stack, runtime, name)) is not None:
        return f"it could not start: {taken}", True
    words = complaints.complaint(runtime.said(name, complaints.LINES) or [])
    return f"it ended {end}" + (f": {words.last_line.rstrip('.')}" if words else ""), False


def pause(stack: Stack, name: str) -> None:
    """It neither works nor answers, and keeps its connections."""
    runtimes.of_stack(stack).pause([name])
    _await(stack, name, PAUSED)


def unpause(stack: Stack, name: str, run: str | None) -> None:
    """Let that run of it go on which was paused."""
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
    """How it ended, as its parent saw it; None when nobody saw it end since then."""
    return runtimes.of_stack(stack).last_end(name, since - 0.001)


def answers(stack: Stack, name: str) -> str | None:
    """None when it answers now, else a few words on what is missing."""
    return probes.probe_of(stack, name)()
