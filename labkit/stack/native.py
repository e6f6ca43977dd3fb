"""The native runtime: the servers and services as processes of this machine, under one supervisor."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.errors import UserError
from labkit.stack import processes
from labkit.stack.installed import Installed
from labkit.stack.model import COMPONENTS, SERVICES, SUPERVISOR, Stack
from labkit.stack.probes import mysql_socket_of
from labkit.stack.servers import kafka, mysql, redis

# Seconds to end by itself. Kafka recovers as well from a kill, and one that is only just starting does not hear.
GRACE = {"mysql": 20.0, "kafka": 3.0, "redis": 10.0, **dict.fromkeys(SERVICES, 4.0)}
STRAY_GRACE = 1.0
HANGING_GRACE = 1.0  # a MariaDB that gets its SIGTERM while it starts hangs for ever; it recovers from a kill
SUPERVISOR_TIMEOUT = 5.0
# Nothing else of the caller's environment reaches a process: JAVA_TOOL_OPTIONS or PYTHON* would change what runs.
PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")


def plan(stack: Stack, has: Installed) -> dict[str, Any]:
    """How each component is started: argv, environment and working directory. The servers' data directories must be there."""
    data = stack.directory / "data"
    marker = {processes.MARKER: str(stack.directory), "TZ": "UTC"}
    archive = kafka.archive(has.kafka)
    ports = {component.name: component.endpoint.port for component in stack.components}
    servers = {
        "mysql": mysql.command(has.mysql, data=data / "mysql", port=ports["mysql"], socket=mysql_socket_of(stack.directory)),
        "kafka": kafka.command(has.kafka, data=data / "kafka", port=ports["kafka"], controller_port=stack.controller_port, archive=archive),
        "redis": redis.command(has.redis, data=data / "redis", port=ports["redis"]),
    }
    entries = {name: {"argv": argv, "env": {**marker, "LABKIT_COMPONENT": name}, "cwd": str(data / name)} for name, argv in servers.items()}
    for name in SERVICES:
        argv = [sys.executable, "-m", f"services.{name.replace('-', '_')}"]
        entries[name] = {"argv": argv, "env": {**marker, **service_environment(stack, name)}, "cwd": str(stack.source)}
    return entries


def service_environment(stack: Stack, name: str) -> dict[str, str]:
    """A service's configuration; the same names on every runtime."""
    endpoint, mysql_at = stack[name].endpoint, stack["mysql"].endpoint
    own_bits = stack.address_bits << 24 | (SERVICES.index(name) + 1) << 16
    environment = {
        "LABKIT_STACK": stack.name,
        "LABKIT_COMPONENT": name,
        "LABKIT_INSTANCE": "0",
        "EVENTUATE_MAC_ADDRESS": str(own_bits),
        "HTTP_HOST": endpoint.host,
        "HTTP_PORT": str(endpoint.port),
        "KAFKA_BOOTSTRAP": stack.kafka_bootstrap,
        "PYTHONPATH": str(stack.source),
        "PYTHONUNBUFFERED": "1",
    }
    account = {"customers": ("customer_service", "customer_db"), "orders": ("order_service", "order_db"), "relay": ("relay", "")}.get(name)
    if account:
        user, database = account
        environment |= {"MYSQL_HOST": mysql_at.host, "MYSQL_PORT": str(mysql_at.port), "MYSQL_USER": user, "MYSQL_PASSWORD": user}
        environment |= {"MYSQL_DATABASE": database} if database else {"RELAY_OUTBOXES": "customer_db,order_db"}
        relay = stack["relay"].endpoint
        environment |= {"RELAY_HINT": f"{relay.host}:{relay.port}"}
    if name == "order-history":
        environment |= {"REDIS_HOST": stack.redis.host, "REDIS_PORT": str(stack.redis.port)}
    if name == "gateway":
        environment |= {f"{other.upper().replace('-', '_')}_URL": stack.url(other) for other in ("customers", "orders", "order-history")}
    return environment


def planned(stack_directory: Path) -> dict[str, Any]:
    """The plan by which what runs now was started."""
    try:
        entries: dict[str, Any] = json.loads((stack_directory / "plan.json").read_text())
    except (OSError, ValueError):
        return {}
    return entries


class Native:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._directory = stack.directory
        self._socket = paths.socket_directory(stack.directory) / "supervisor.sock"
        self._spawned: subprocess.Popen[bytes] | None = None

    def running(self) -> set[str]:
        return {name for name in COMPONENTS if processes.running(self._directory, name)}

    def start(self, plan: Mapping[str, Any], names: Collection[str]) -> float:
        for folder in ("logs", "processes"):
            (self._directory / folder).mkdir(exist_ok=True)
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        whole = {name: {**entry, "env": {**passed_on, **entry["env"]}} for name, entry in plan.items()}
        paths.write(self._directory / "plan.json", json.dumps(whole))
        since = time.time()
        if not self._ask("start", *names):
            self._replace_supervisor(passed_on, names)
        return since

    def _ask(self, *words: str) -> bool:
        """False when no supervisor is there that would do it."""
        if not processes.running(self._directory, SUPERVISOR):
            return False
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(SUPERVISOR_TIMEOUT)
                connection.connect(str(self._socket))
                connection.sendall(" ".join(words).encode() + b"\n")
                return connection.makefile().readline().strip() == "ok"
        except OSError:
            return False

    def _replace_supervisor(self, passed_on: dict[str, str], names: Collection[str]) -> None:
        if old := processes.running(self._directory, SUPERVISOR):
            old.send(signal.SIGKILL)  # its processes run on
            processes.wait_gone([old], SUPERVISOR_TIMEOUT)
        script = Path(__file__).with_name("supervisor.py")
        with (self._directory / "logs" / "supervisor.log").open("ab") as log:
            self._spawned = subprocess.Popen(
                [sys.executable, "-I", "-S", script, self._directory, self._socket, *names],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={**passed_on, processes.MARKER: str(self._directory), "LABKIT_COMPONENT": SUPERVISOR},
            )

    def check(self) -> None:
        """Raises UserError when the supervisor that was just started has ended."""
        if self._spawned and self._spawned.poll() is not None:
            from labkit.stack.wait import last_lines

            log = last_lines(self._directory / "logs" / "supervisor.log")
            raise UserError(f"The supervisor ended with exit code {self._spawned.returncode}.", "labkit up", details=log)

    def stop(self, names: Collection[str]) -> None:
        self._announce([name for name in names if processes.running(self._directory, name)])
        processes.stop({process: self._grace(name) for name in names if (process := processes.running(self._directory, name))})
        if names:  # none may be left, recorded or not
            processes.stop(dict.fromkeys(processes.marked(self._directory, names), STRAY_GRACE))

    def _announce(self, names: Collection[str]) -> None:
        """Write down that labkit ends these, so that nobody takes their end for an accident."""
        lines = [json.dumps({"time": round(time.time(), 3), "event": "stop", "component": name, "by": "labkit"}) for name in names]
        if lines:
            with (self._directory / "events.jsonl").open("a") as events:
                events.write("\n".join([*lines, ""]))

    def _grace(self, name: str) -> float:
        ready = name != "mysql" or self._greets(name)
        return GRACE[name] if ready else HANGING_GRACE

    def _greets(self, name: str) -> bool:
        """Does it speak first, as a MySQL does that takes connections?"""
        try:
            at = self.stack[name].endpoint
            with socket.create_connection((at.host, at.port), HANGING_GRACE) as connection:
                return bool(connection.recv(1))
        except (OSError, UserError):
            return False

    def down(self) -> None:
        supervisor = processes.running(self._directory, SUPERVISOR)
        if supervisor:
            supervisor.send(signal.SIGTERM)  # from now on it starts nothing more
        (self._directory / "plan.json").unlink(missing_ok=True)  # nor does one that is only just starting
        services = self.running() & set(SERVICES)
        self.stop(services)
        self.stop(self.running())
        if supervisor and processes.wait_gone([supervisor], 2.0):
            supervisor.send(signal.SIGKILL)
        while strays := processes.marked(self._directory):
            processes.stop(dict.fromkeys(strays, STRAY_GRACE))
