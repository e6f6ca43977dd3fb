"""`plan.json` in a stack's directory: how the supervisor starts each component.

An entry has `argv`, `env` and `cwd`, and `settings`, the digest of the component's settings file if it has one.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.account import Account
from labkit.errors import Damaged
from labkit.stack import processes, products
from labkit.stack.installed import Installed
from labkit.stack.model import Endpoint, Stack

FILE = "plan.json"
# Only these variables of the caller's environment reach a process: JAVA_TOOL_OPTIONS or PYTHON* would change what runs.
PASSED_ON = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "SYSTEMROOT",
    "HTTP_ALLOWED_HOSTS",
)

Plan = dict[str, dict[str, Any]]
"""The entries by component."""


def plan_of(stack: Stack, installed: Installed) -> Plan:
    """Return the plan without the variables of the caller. Writes the settings files. The servers' data directories must exist."""
    data = stack.directory / "data"
    marker = {processes.MARKER: str(stack.directory), "TZ": "UTC"}
    entries: Plan = {}
    for server in stack.profile.servers:
        product = products.of(server.product)
        how = product.started(installed.servers[server.product], stack, server.name, data / server.name)
        env = {**marker, "LABKIT_COMPONENT": server.name, **how.environment}
        entries[server.name] = {"argv": how.argv, "env": env, "cwd": str(data / server.name)}
        if how.settings:
            entries[server.name]["settings"] = hashlib.sha256(how.settings.read_bytes()).hexdigest()
    for service in stack.profile.services:
        env = {**marker, **_service_environment(stack, service.name)}
        entries[service.name] = {"argv": [sys.executable, "-m", service.module], "env": env, "cwd": str(stack.source)}
    return entries


def passed_on() -> dict[str, str]:
    """Return the variables of the caller's environment that reach a process."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def save(stack_directory: Path, plan: Plan) -> None:
    """Write the plan with the variables of the caller. The plan's own variables win."""
    complete = {name: {**entry, "env": {**passed_on(), **entry["env"]}} for name, entry in plan.items()}
    paths.write(stack_directory / FILE, json.dumps(complete))


def load(stack_directory: Path) -> Plan:
    """Return the plan by which the running components were started, without damaged entries."""
    try:
        entries: dict[str, Any] = paths.read_json(stack_directory / FILE, dict, "labkit up")
    except (OSError, Damaged):
        return {}
    return {name: entry for name, entry in entries.items() if _is_entry(entry)}


def _is_entry(entry: Any) -> bool:
    shape = {"argv": list, "env": dict, "cwd": str}
    return isinstance(entry, dict) and all(isinstance(entry.get(name), kind) for name, kind in shape.items())


def differs(before: dict[str, Any] | None, now: dict[str, Any], same_start: Callable[[list[str]], list[str]]) -> bool:
    """Whether a component would be started differently now. Variables passed on from the caller's environment do not count."""
    if before is None:
        return True
    own = {name: value for name, value in before["env"].items() if name not in PASSED_ON}
    return bool(
        (same_start(before["argv"]), own, before["cwd"], before.get("settings"))
        != (same_start(now["argv"]), now["env"], now["cwd"], now.get("settings"))
    )


def _service_environment(stack: Stack, name: str) -> dict[str, str]:
    """Return a service's environment: the variables of every service, and its own from the profile. compose.yaml uses the same names."""
    endpoint = stack[name].endpoint
    environment = {
        "LABKIT_STACK": stack.name,
        "LABKIT_COMPONENT": name,
        "LABKIT_INSTANCE": "0",
        "EVENTUATE_MAC_ADDRESS": str(stack.own_address_bits(name)),
        "HTTP_HOST": endpoint.host,
        "HTTP_PORT": str(endpoint.port),
        "PYTHONPATH": str(stack.source),
        "PYTHONUNBUFFERED": "1",
        "LABKIT_CONTROL": str(stack.directory / "control"),
    }
    service = next(service for service in stack.profile.services if service.name == name)
    places = {component.name: _Place.of(component.endpoint) for component in stack.components}
    places |= {server: _Place.of_account(account) for server, account in stack.logins.items()}
    if service.account:
        places["account"] = _Place.of_account(stack.mysql_as(service.account))
    own = {variable: value.format_map(places) for variable, value in service.environment.items()}
    return environment | {variable: value for variable, value in own.items() if value}


@dataclass(frozen=True)
class _Place:
    """What a profile's template can refer to, for example `{mysql.host}`: a component or an account. Without a password, `user` is empty
    too.
    """

    host: str
    port: int
    url: str = ""
    user: str = ""
    password: str = ""

    @classmethod
    def of(cls, endpoint: Endpoint) -> "_Place":
        return cls(endpoint.host, endpoint.port, str(endpoint))

    @classmethod
    def of_account(cls, account: Account) -> "_Place":
        return cls(account.host, account.port, user=account.user if account.password else "", password=account.password)

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"
