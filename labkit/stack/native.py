"""The native runtime: the servers and services as processes of this machine, under one supervisor."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.account import Account
from labkit.errors import Damaged, UserError
from labkit.preparing import Preparing
from labkit.servers import mysql
from labkit.stack import event_log, installed, log_files, processes, products
from labkit.stack.model import SUPERVISOR, Endpoint, Stack
from labkit.stack.runtime import FAILED, NATIVE, PAUSED, RUNNING, STOPPED, ComponentStatus, End
from labkit.system.model import Profile

SERVICE_GRACE = 4.0  # seconds that a service may take to end by itself
STRAY_GRACE = 1.0
HANGING_GRACE = 1.0  # a MariaDB that receives SIGTERM during its start hangs forever; it recovers from a kill
SUPERVISOR_TIMEOUT = 5.0
KILL_TIMEOUT = 5.0
NOTE_TIMEOUT = 5.0
START_EVENTS = 5000  # events of all components that are searched for a component's last start
NOTED = 0.001  # events have millisecond precision
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


PLAN = "plan.json"


def plan_of(stack: Stack, has: installed.Installed) -> dict[str, Any]:
    """Return how to start each component: argv, environment, working directory, and the digest of its settings file if it has one.

    Writes the settings files. The servers' data directories must exist.
    """
    data = stack.directory / "data"
    marker = {processes.MARKER: str(stack.directory), "TZ": "UTC"}
    entries: dict[str, Any] = {}
    for server in stack.profile.servers:
        product = products.of(server.product)
        how = product.started(has.servers[server.product], stack, server.name, data / server.name)
        env = {**marker, "LABKIT_COMPONENT": server.name, **how.environment}
        entries[server.name] = {"argv": how.argv, "env": env, "cwd": str(data / server.name)}
        if how.settings:
            entries[server.name]["settings"] = hashlib.sha256(how.settings.read_bytes()).hexdigest()
    for service in stack.profile.services:
        env = {**marker, **service_environment(stack, service.name)}
        entries[service.name] = {"argv": [sys.executable, "-m", service.module], "env": env, "cwd": str(stack.source)}
    return entries


def planned(stack_directory: Path) -> dict[str, Any]:
    """Return the plan by which the running components were started, without damaged entries."""
    try:
        entries: dict[str, Any] = paths.read_json(stack_directory / PLAN, dict, "labkit up")
    except (OSError, Damaged):
        return {}
    return {name: entry for name, entry in entries.items() if _is_entry(entry)}


def _is_entry(entry: Any) -> bool:
    shape = {"argv": list, "env": dict, "cwd": str}
    return isinstance(entry, dict) and all(isinstance(entry.get(name), kind) for name, kind in shape.items())


def service_environment(stack: Stack, name: str) -> dict[str, str]:
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


class Native:
    name = NATIVE
    extra: Sequence[str] = (SUPERVISOR,)
    unsupported: Mapping[str, UserError] = {
        "cut": UserError(
            "The native runtime cannot cut a component off the network: its processes share this machine's.",
            "labkit fault pause COMPONENT, or a stack on Docker: labkit up --name docker --runtime docker",
        )
    }

    def __init__(self, directory: Path, profile: Profile) -> None:
        self._directory = directory
        self._profile = profile
        self._names = profile.components
        self._socket = paths.socket_directory(directory) / "supervisor.sock"
        self._spawned: subprocess.Popen[bytes] | None = None
        self._has: installed.Installed | None = None
        self._plan: dict[str, Any] = {}

    def running(self) -> set[str]:
        return {name for name in self._names if processes.running(self._directory, name)}

    def runs(self, component: str) -> bool:
        return processes.running(self._directory, component) is not None

    def stopped_holding_ports(self) -> set[str]:
        return set()

    def status(self) -> dict[str, ComponentStatus]:
        return {name: self._seen(name) for name in (*self._names, SUPERVISOR)}

    def _seen(self, name: str) -> ComponentStatus:
        process = processes.running(self._directory, name)
        if process is None:
            end = self.last_end(name, 0.0)
            return ComponentStatus(STOPPED if end is None or end.asked_for or self._was_announced(name) else FAILED)
        return ComponentStatus(PAUSED if process.paused() else RUNNING, process.pid, process.uptime())

    def _was_announced(self, name: str) -> bool:
        """Whether labkit ended the component. It may have used force because the component took too long."""
        return next((event["event"] for event in self._latest(name) if event["event"] != "end"), None) == event_log.STOP

    def memory(self) -> dict[str, int]:
        """Return the PSS of each process in bytes. Skips processes that have just ended."""
        running = {name: processes.running(self._directory, name) for name in (*self._names, SUPERVISOR)}
        sizes = {name: processes.memory(process.pid) for name, process in running.items() if process}
        return {name: size for name, size in sizes.items() if size is not None}

    def owns_port(self, component: str, port: int) -> bool:
        process = processes.running(self._directory, component)
        return process is None or processes.listens(process, port)

    def last_end(self, component: str, since: float) -> End | None:
        for event in self._latest(component):
            if event["event"] == "end" and event["time"] >= since:
                return End(event["time"], event.get("exit_code"), event.get("signal"))
        return None

    def start_failed(self, component: str, since: float) -> End | None:
        started = (event["time"] for event in self._latest(component) if event["event"] == "start")
        last = next(started, 0.0)
        return self.last_end(component, last) if last >= since - NOTED else None

    def _latest(self, component: str, count: int = 200) -> Iterator[dict[str, Any]]:
        """Yield the component's events among the last `count` events of all components, latest first."""
        return (event for event in reversed(event_log.read(self._directory, count)) if event["component"] == component)

    def events(self, since: float) -> list[dict[str, Any]]:
        """Return the events in the order of the file. All events after the first one that is recent enough count, even if the clock was set
        back.
        """
        events = event_log.read(self._directory)
        first = next((place for place, event in enumerate(events) if event["time"] >= since), len(events))
        return events[first:]

    def why_events_missing(self, since: float) -> str | None:
        watched = False
        for event in event_log.read(self._directory):
            if event["component"] == SUPERVISOR:
                if event["event"] == "start" and watched and event["time"] >= since:
                    return "the supervisor was killed, and nobody saw what happened to the components until it was started again"
                watched = event["event"] == "start"
        if watched and not self.runs(SUPERVISOR):
            return "the supervisor was killed, and nobody sees what happens to the components"
        return None

    def halted(self) -> dict[str, str]:
        found = {name: processes.running(self._directory, name) for name in self._names}
        return {name: PAUSED for name, process in found.items() if process is not None and process.paused()}

    def log(self, component: str, count: int | None) -> list[str]:
        return log_files.lines(log_files.of(self._directory, component), count)

    def process_log(self, component: str, count: int, ended: float | None = None) -> list[str] | None:
        later: int | None = None
        for event in self._latest(component, START_EVENTS):
            if event["event"] != "start":
                continue
            begin = event.get("log_from")
            if not isinstance(begin, int) or begin < 0:
                return None
            if ended is None or event["time"] <= ended + NOTED:
                return log_files.lines(log_files.of(self._directory, component), count, begin, later)
            later = begin
        return None  # no start was recorded

    def processor_percent(self, component: str) -> float | None:
        process = processes.running(self._directory, component)
        return processes.processor_percent(process.pid) if process else None

    def follow(self, components: Collection[str]) -> Iterator[tuple[str, str]]:
        return log_files.follow({name: log_files.of(self._directory, name) for name in components})

    def resume_halted(self) -> set[str]:
        processes.correct_records(self._directory, (*self._names, SUPERVISOR))
        self.unpause(self._names)
        return self.running()

    def refuse_unusable(self) -> None:
        self._find()

    def end_leftovers(self) -> None:
        processes.stop(dict.fromkeys(processes.marked(self._directory), STRAY_GRACE))

    def prepare(self, alive: Collection[str], view: Preparing) -> dict[str, str]:
        self._has = self._find()
        _prepare_data(self._directory, self._profile, self._has, alive, view)
        versions = self._has.versions()
        return {server.name: versions[server.product] for server in self._profile.servers}

    def _find(self) -> installed.Installed:
        return installed.find_all(server.product for server in self._profile.servers)

    def plan(self, stack: Stack, alive: Collection[str]) -> set[str]:
        assert self._has is not None, "prepare comes before plan"
        self._plan = plan_of(stack, self._has)
        before = planned(self._directory)
        return {component for component in alive if _differs(before.get(component), self._plan[component], self._same_start(component))}

    def _same_start(self, component: str) -> Callable[[list[str]], list[str]]:
        product = products.of_component(self._profile, component)
        return product.same_start if product else list

    def first_access(self, stack: Stack) -> tuple[Path]:
        return (mysql.socket_of(self._directory),)

    def start(self, names: Collection[str]) -> float:
        if not names and self.runs(SUPERVISOR):
            return time.time()
        for folder in ("logs", "processes"):
            paths.make_private(self._directory / folder)
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        if self._plan:
            whole = {name: {**entry, "env": {**passed_on, **entry["env"]}} for name, entry in self._plan.items()}
            paths.write(self._directory / PLAN, json.dumps(whole))
        elif set(names) - planned(self._directory).keys():
            raise Damaged(self._directory / PLAN, f"it does not say how {', '.join(names)} is started", "labkit up")
        since = time.time()
        if not self._ask("start", *names):
            self._replace_supervisor(passed_on, names)
            processes.wait_until(self._supervised, SUPERVISOR_TIMEOUT)  # a component that ended before that would end unseen
        return since

    def _supervised(self) -> bool:
        """Whether the new supervisor accepts commands, or has ended."""
        return self._ask("start") or self._spawned is None or self._spawned.poll() is not None

    def _ask(self, *words: str) -> bool:
        """Send a command to the supervisor. Returns False when no supervisor does it."""
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
            old.send(signal.SIGKILL)  # its processes keep running
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

    def check_supervisor(self) -> None:
        """Raises UserError when the new supervisor has ended."""
        if self._spawned and self._spawned.poll() is not None:
            log = self.log(SUPERVISOR, 8)
            raise UserError(f"The supervisor ended with exit code {self._spawned.returncode}.", "labkit up", details=log)

    def stop(self, names: Collection[str]) -> None:
        event_log.announce(self._directory, [name for name in names if self.runs(name)])
        processes.stop({process: self._grace(name) for name in names if (process := processes.running(self._directory, name))})
        if names:  # end all processes with the stack's marker, recorded or not
            processes.stop(dict.fromkeys(processes.marked(self._directory, names), STRAY_GRACE))

    def _grace(self, name: str) -> float:
        ready = name != "mysql" or self._greets(name)
        if not ready:
            return HANGING_GRACE
        product = products.of_component(self._profile, name)
        return product.grace_s if product else SERVICE_GRACE

    def _greets(self, name: str) -> bool:
        """Whether MySQL sends its greeting, as it does once it accepts connections."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(HANGING_GRACE)
                connection.connect(str(mysql.socket_of(self._directory)))
                return bool(connection.recv(1))
        except OSError:
            return False

    def stop_to_restart(self, names: Collection[str]) -> None:
        self.stop(names)

    def kill(self, names: Collection[str]) -> None:
        since = time.time()
        killed = self._signal(names, signal.SIGKILL)
        processes.wait_gone(killed.values(), KILL_TIMEOUT)
        if self.runs(SUPERVISOR):  # the supervisor records how the process ended
            processes.wait_until(lambda: all(self.last_end(name, since) for name in killed), NOTE_TIMEOUT)

    def pause(self, names: Collection[str]) -> None:
        """Returns when all their threads are stopped."""
        stopped = self._signal(names, signal.SIGSTOP).values()
        processes.wait_until(lambda: all(process.paused() or not process.alive() for process in stopped), KILL_TIMEOUT)

    def unpause(self, names: Collection[str]) -> None:
        woken = self._signal(names, signal.SIGCONT).values()
        processes.wait_until(lambda: not any(process.paused() for process in woken), KILL_TIMEOUT)

    def _signal(self, names: Collection[str], number: signal.Signals) -> dict[str, processes.Process]:
        """Send the signal. Returns the processes that received it."""
        running = {name: process for name in names if (process := processes.running(self._directory, name))}
        return {name: process for name, process in running.items() if process.send(number)}

    def cut(self, names: Collection[str]) -> None:
        raise self.unsupported["cut"]

    def join(self, names: Collection[str]) -> None:
        """Nothing to do: this runtime never cuts components off."""

    def down(self, *, data: bool) -> None:
        supervisor = processes.running(self._directory, SUPERVISOR)
        if supervisor:
            supervisor.send(signal.SIGTERM)  # it starts no more components
        with suppress(OSError):
            # without a plan, a supervisor that is just starting cannot start components either
            (self._directory / PLAN).unlink(missing_ok=True)
        services = self.running() & {service.name for service in self._profile.services}
        self.stop(services)
        self.stop(self.running())
        if supervisor and processes.wait_gone([supervisor], 2.0):
            supervisor.send(signal.SIGKILL)
        while strays := processes.marked(self._directory):
            processes.stop(dict.fromkeys(strays, STRAY_GRACE))
        with suppress(OSError, UserError):
            shutil.rmtree(paths.socket_directory(self._directory), ignore_errors=True)
        if data:
            shutil.rmtree(self._directory / "data", ignore_errors=True)

    def shell(self, component: str, variables: Collection[str]) -> list[str]:
        """Return the user's shell. `labkit shell` gives it the component's folder and environment."""
        return [os.environ.get("SHELL") or "/bin/sh"]


def _differs(before: Any, now: dict[str, Any], same_start: Callable[[list[str]], list[str]]) -> bool:
    """Whether a component would be started differently now. Variables passed on from the caller's environment do not count."""
    if before is None:
        return True
    own = {name: value for name, value in before["env"].items() if name not in PASSED_ON}
    return bool(
        (same_start(before["argv"]), own, before["cwd"], before.get("settings"))
        != (same_start(now["argv"]), now["env"], now["cwd"], now.get("settings"))
    )


def _prepare_data(directory: Path, profile: Profile, has: installed.Installed, alive: Collection[str], view: Preparing) -> None:
    """Prepare the servers' data directories and the cached files that they need."""
    data = paths.make_private(directory / "data")
    os.environ[processes.MARKER] = str(directory)  # lets `down` find these processes if labkit is killed
    try:
        for server in profile.servers:
            if server.name not in alive:
                products.of(server.product).prepare(has.servers[server.product], data / server.name, directory / "scratch", view)
    finally:
        del os.environ[processes.MARKER]
