"""A stack's current state as JSON. Changes nothing and never waits long."""

import threading
from typing import Any

from labkit.account import Account
from labkit.docker_engine import NoEngine
from labkit.stack import accounts, probes, runtimes
from labkit.stack.model import SUPERVISOR, Stack
from labkit.stack.runtime import RUNNING, UNKNOWN, ComponentStatus

PROBE_TIMEOUT, STARTING_S = 1.0, 15.0  # seconds
STARTING, NOT_READY = "starting", "not ready"


def facts(stack: Stack) -> dict[str, Any]:
    """Return the stack as JSON. Memory is in bytes and uptime in seconds; both are null for a stopped component."""
    runtime = runtimes.of_stack(stack)
    reason = None
    try:
        seen, memory = runtime.status(), runtime.memory()
    except NoEngine as silent:
        seen, memory, reason = dict.fromkeys((*stack.names, *runtime.extra), ComponentStatus(UNKNOWN)), {}, silent
    missing = _missing(stack, [name for name in stack.names if seen[name].state == RUNNING])
    components = [_component(stack, name, seen[name], memory.get(name), missing.get(name)) for name in (*stack.names, *runtime.extra)]
    mysql = stack.mysql
    return {
        "name": stack.name,
        "runtime": stack.runtime,
        **({"reason": reason.message, "next": reason.next_step} if reason else {}),
        "ready": all(component["state"] == "running" for component in components if component["kind"] != SUPERVISOR),
        "components": components,
        "connections": {
            "mysql": {"host": mysql.host, "port": mysql.port, "user": mysql.user, "password": mysql.password},
            **{name: _connection(stack, name, account) for name, account in stack.logins.items()},
        },
        "accounts": {
            "mysql": {user: stack.accounts.mysql(user) for user in accounts.mysql_users(stack.profile)},
            **{name: {account.user: account.password or None} for name, account in stack.logins.items()},
        },
        "open": stack.accounts.open,
    }


def _connection(stack: Stack, server: str, account: Account) -> dict[str, Any]:
    """Return a server's connection data. A broker's data also has `bootstrap`, its host and port in one value."""
    bootstrap = {"bootstrap": str(account)} if server == stack.profile.broker else {}
    return {**bootstrap, "host": account.host, "port": account.port, **_login(account)}


def _login(account: Account) -> dict[str, str | None]:
    return {"user": account.user if account.password else None, "password": account.password or None}


def _component(stack: Stack, name: str, seen: ComponentStatus, memory: int | None, missing: str | None) -> dict[str, Any]:
    """Return one component. `missing` says why it is not ready; a component that has not run for long is reported as starting."""
    is_component = name in stack.names
    unready = STARTING if seen.uptime_s is None or seen.uptime_s < STARTING_S else NOT_READY
    return {
        "name": name,
        "kind": stack[name].kind if is_component else name,
        "state": unready if missing else seen.state,
        **({"missing": missing} if missing else {}),
        "endpoint": str(stack[name].endpoint) if is_component else None,
        "pid": seen.pid,
        "memory_bytes": memory,
        "uptime_s": None if seen.uptime_s is None else round(seen.uptime_s, 1),
        **({"health": seen.health} if seen.health else {}),
    }


def _missing(stack: Stack, names: list[str]) -> dict[str, str]:
    """Probe these components in parallel. Returns what is missing for each one that is not ready."""
    missing = dict.fromkeys(names, f"it does not answer within {PROBE_TIMEOUT:g} s")
    asking = {name: probes.probe_of(stack, name, timeout=PROBE_TIMEOUT) for name in names}

    def ask(name: str) -> None:
        why = asking[name]()
        if why is None:
            missing.pop(name)
        else:
            missing[name] = why

    threads = [threading.Thread(target=ask, args=[name], daemon=True) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(1.5 * PROBE_TIMEOUT)
    return dict(missing)
