"""labkit status: what runs, where, and how much memory it takes. Changes nothing and never waits long."""

import json
import threading
from typing import Any

from labkit import say
from labkit.errors import ExitCode
from labkit.faults import told
from labkit.faults.ledger import Ledger
from labkit.stack import lifecycle, probes, runtimes, state
from labkit.stack.model import COMPONENTS, SUPERVISOR, Stack
from labkit.stack.runtime import RUNNING, WHAT_RUNS, Seen

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
    runtime = runtimes.of_stack(stack)
    seen, memory = runtime.look(), runtime.memory()
    ready = _ready(stack, [name for name in COMPONENTS if seen[name].state == RUNNING])
    components = [_component(stack, name, seen[name], memory.get(name), name in ready) for name in (*COMPONENTS, *runtime.extra)]
    mysql = stack.mysql
    return {
        "name": stack.name,
        "runtime": stack.runtime,
        "ready": all(component["state"] == "running" for component in components if component["kind"] != SUPERVISOR),
        "components": components,
        "faults": [{"id": fault.id, "said": fault.said} for fault in Ledger(stack.directory).open()],
        "connections": {
            "mysql": {"host": mysql.host, "port": mysql.port, "user": mysql.user, "password": mysql.password},
            "kafka": {"bootstrap": stack.kafka_bootstrap},
            "redis": {"host": stack.redis.host, "port": stack.redis.port},
        },
    }


def _component(stack: Stack, name: str, seen: Seen, memory: int | None, ready: bool) -> dict[str, Any]:
    is_component = name in COMPONENTS
    return {
        "name": name,
        "kind": stack[name].kind if is_component else name,
        "state": "starting" if seen.state == RUNNING and is_component and not ready else seen.state,
        "endpoint": str(stack[name].endpoint) if is_component else None,
        "pid": seen.pid,
        "memory_bytes": memory,
        "uptime_s": None if seen.uptime_s is None else round(seen.uptime_s, 1),
        **({"health": seen.health} if seen.health else {}),
    }


def _ready(stack: Stack, names: list[str]) -> set[str]:
    """Those that answer now, all asked at once."""
    ready: set[str] = set()

    def ask(name: str) -> None:
        if probes.probe_of(stack, name, timeout=PROBE_TIMEOUT)() is None:
            ready.add(name)

    threads = [threading.Thread(target=ask, args=[name], daemon=True) for name in names]
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
    what = WHAT_RUNS[stack.runtime]
    say.line(f"\n{stack.name}: {len(running)} {what}, {say.megabytes(total)}; the services run from {stack.source}.")
    for line in told.notes(stack):
        say.line(line)
    if lifecycle.reset_intent(stack.directory):
        say.line("A reset was interrupted; labkit up finishes it.")
    if not found["ready"]:
        say.line("Next: labkit up")
