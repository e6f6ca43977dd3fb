"""labkit status: what runs, where, and how much memory it takes. Changes nothing and never waits long."""

import json
import signal
import threading
from typing import Any

from labkit import say
from labkit.errors import ExitCode
from labkit.stack import lifecycle, probes, processes, state
from labkit.stack.model import COMPONENTS, SUPERVISOR, Stack
from labkit.stack.wait import last_end

PROBE_TIMEOUT = 1.0  # seconds


def status(stack_name: str, *, as_json: bool) -> ExitCode:
    """Exit code 1 when not all of it is ready."""
    stack = state.load(stack_name)
    found = facts(stack)
    if as_json:
        say.line(json.dumps(found, indent=2))
    else:
        _table(found, stack)
    return ExitCode.OK if found["ready"] else ExitCode.FAIL


def facts(stack: Stack) -> dict[str, Any]:
    """The stack as JSON; memory in bytes, uptime in seconds, both null for what does not run."""
    ready = _ready(stack)
    components = [_component(stack, name, ready) for name in (*COMPONENTS, SUPERVISOR)]
    mysql = stack.mysql
    return {
        "name": stack.name,
        "runtime": stack.runtime,
        "ready": all(component["state"] == "running" for component in components[:-1]),
        "components": components,
        "connections": {
            "mysql": {"host": mysql.host, "port": mysql.port, "user": mysql.user, "password": mysql.password},
            "kafka": {"bootstrap": stack.kafka_bootstrap},
            "redis": {"host": stack.redis.host, "port": stack.redis.port},
        },
    }


def _component(stack: Stack, name: str, ready: set[str]) -> dict[str, Any]:
    process = processes.running(stack.directory, name)
    uptime = process.uptime() if process else None
    return {
        "name": name,
        "kind": SUPERVISOR if name == SUPERVISOR else stack[name].kind,
        "state": _state(stack, name, process, ready),
        "endpoint": None if name == SUPERVISOR else str(stack[name].endpoint),
        "pid": process.pid if process else None,
        "memory_bytes": processes.memory(process.pid) if process else None,
        "uptime_s": None if uptime is None else round(uptime, 1),
    }


def _state(stack: Stack, name: str, process: processes.Process | None, ready: set[str]) -> str:
    if process is None:
        return "failed" if _failed(last_end(stack.directory, name, 0.0)) else "stopped"
    if process.paused():
        return "paused"
    return "running" if name in ready or name == SUPERVISOR else "starting"


def _failed(end: dict[str, object] | None) -> bool:
    """Did it end otherwise than by being asked to? A JVM that is asked to ends with 143."""
    return end is not None and (end.get("exit_code") not in (0, 143, None) or end.get("signal") not in (signal.SIGTERM, None))


def _ready(stack: Stack) -> set[str]:
    """Those that answer now, all asked at once."""
    ready: set[str] = set()

    def ask(name: str) -> None:
        if probes.probe_of(stack, name, timeout=PROBE_TIMEOUT)() is None:
            ready.add(name)

    threads = [threading.Thread(target=ask, args=[name], daemon=True) for name in COMPONENTS if processes.running(stack.directory, name)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(1.5 * PROBE_TIMEOUT)
    return ready


def _table(found: dict[str, Any], stack: Stack) -> None:
    for component in found["components"]:
        pid = f"pid {component['pid']}" if component["pid"] else ""
        memory = say.megabytes(component["memory_bytes"]) if component["memory_bytes"] else ""
        line = f"  {component['name']:13}  {component['state']:8}  {component['endpoint'] or '':21}  {pid:12}  {memory:>7}"
        say.line(line.rstrip())
    running = [component for component in found["components"] if component["pid"]]
    total = sum(component["memory_bytes"] or 0 for component in running)
    say.line(f"\n{stack.name}: {len(running)} processes, {say.megabytes(total)}; the services run from {stack.source}.")
    if lifecycle.reset_intent(stack.directory):
        say.line("A reset was interrupted; labkit up finishes it.")
    if not found["ready"]:
        say.line("Next: labkit up")
