"""The Runtime interface for processes of this machine."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.errors import Damaged, UserError
from labkit.preparation_report import Preparing
from labkit.servers import mysql
from labkit.stack import event_log, installed, log_files, processes, products
from labkit.stack.model import SUPERVISOR, Stack
from labkit.stack.native import events, plan
from labkit.stack.native.supervisor_client import SupervisorClient
from labkit.stack.runtime import FAILED, NATIVE, PAUSED, RUNNING, STOPPED, ComponentStatus, End
from labkit.system.model import Profile

STRAY_GRACE_S = 1.0
HANGING_GRACE_S = 1.0  # a MariaDB that receives SIGTERM during its start hangs forever; it recovers from a kill
SUPERVISOR_GRACE_S = 2.0
SIGNAL_TIMEOUT_S = 5.0  # until a signal has had its effect
RECORD_TIMEOUT_S = 5.0  # until the supervisor has recorded an end


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
        self._supervisor = SupervisorClient(directory)
        self._installed: installed.Installed | None = None
        self._plan: plan.Plan = {}

    # inspecting

    def running(self) -> set[str]:
        return set(self._processes(self._names))

    def runs(self, component: str) -> bool:
        return self._process(component) is not None

    def _process(self, name: str) -> processes.Process | None:
        return processes.running(self._directory, name)

    def _processes(self, names: Collection[str]) -> dict[str, processes.Process]:
        """Return the processes of those that run."""
        return {name: process for name in names if (process := self._process(name))}

    def stopped_holding_ports(self) -> set[str]:
        return set()

    def status(self) -> dict[str, ComponentStatus]:
        return {name: self._status_of(name) for name in (*self._names, SUPERVISOR)}

    def _status_of(self, name: str) -> ComponentStatus:
        process = self._process(name)
        if process is None:
            end = self.last_end(name, 0.0)
            on_request = end is None or end.asked_for or events.stop_was_announced(self._directory, name)
            return ComponentStatus(STOPPED if on_request else FAILED)
        return ComponentStatus(PAUSED if process.paused() else RUNNING, process.pid, process.uptime())

    def memory(self) -> dict[str, int]:
        """Return the PSS of each process in bytes. Skips processes that have just ended."""
        sizes = {name: processes.memory(process.pid) for name, process in self._processes((*self._names, SUPERVISOR)).items()}
        return {name: size for name, size in sizes.items() if size is not None}

    def owns_port(self, component: str, port: int) -> bool:
        process = self._process(component)
        return process is None or processes.listens(process, port)

    def last_end(self, component: str, since: float) -> End | None:
        return events.last_end(self._directory, component, since)

    def start_failed(self, component: str, since: float) -> End | None:
        return events.start_failed(self._directory, component, since)

    def events(self, since: float) -> list[dict[str, Any]]:
        return events.since(self._directory, since)

    def why_events_missing(self, since: float) -> str | None:
        return events.why_missing(self._directory, since)

    def halted(self) -> dict[str, str]:
        return {name: PAUSED for name, process in self._processes(self._names).items() if process.paused()}

    def log(self, component: str, count: int | None) -> list[str]:
        return log_files.lines(log_files.of(self._directory, component), count)

    def process_log(self, component: str, count: int, ended: float | None = None) -> list[str] | None:
        found = events.log_range(self._directory, component, ended)
        return log_files.lines(log_files.of(self._directory, component), count, *found) if found else None

    def processor_percent(self, component: str) -> float | None:
        process = self._process(component)
        return processes.processor_percent(process.pid) if process else None

    def follow(self, components: Collection[str]) -> Iterator[tuple[str, str]]:
        return log_files.follow({name: log_files.of(self._directory, name) for name in components})

    # bringing up

    def resume_halted(self) -> set[str]:
        processes.correct_records(self._directory, (*self._names, SUPERVISOR))
        self.unpause(self._names)
        return self.running()

    def refuse_unusable(self) -> None:
        self._find_installed()

    def end_leftovers(self) -> None:
        processes.stop(dict.fromkeys(processes.marked(self._directory), STRAY_GRACE_S))

    def prepare(self, alive: Collection[str], view: Preparing) -> dict[str, str]:
        self._installed = self._find_installed()
        _prepare_data(self._directory, self._profile, self._installed, alive, view)
        versions = self._installed.versions()
        return {server.name: versions[server.product] for server in self._profile.servers}

    def _find_installed(self) -> installed.Installed:
        return installed.find_all(server.product for server in self._profile.servers)

    def plan(self, stack: Stack, alive: Collection[str]) -> set[str]:
        assert self._installed is not None, "prepare comes before plan"
        self._plan = plan.plan_of(stack, self._installed)
        before = plan.load(self._directory)
        return {name for name in alive if plan.differs(before.get(name), self._plan[name], self._same_start(name))}

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
        if self._plan:
            plan.save(self._directory, self._plan)
        elif set(names) - plan.load(self._directory).keys():
            raise Damaged(self._directory / plan.FILE, f"it does not say how {', '.join(names)} is started", "labkit up")
        since = time.time()
        self._supervisor.start(names, plan.passed_on())
        return since

    def check_supervisor(self) -> None:
        self._supervisor.check()

    # ending and disturbing

    def stop(self, names: Collection[str]) -> None:
        event_log.announce(self._directory, [name for name in names if self.runs(name)])
        processes.stop({process: self._grace_s(name) for name, process in self._processes(names).items()})
        if names:  # end all processes with the stack's marker, recorded or not
            processes.stop(dict.fromkeys(processes.marked(self._directory, names), STRAY_GRACE_S))

    def _grace_s(self, name: str) -> float:
        if name == "mysql" and not self._mysql_accepts_connections():
            return HANGING_GRACE_S
        return products.grace_s(self._profile, name)

    def _mysql_accepts_connections(self) -> bool:
        """Whether MySQL sends its greeting."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(HANGING_GRACE_S)
                connection.connect(str(mysql.socket_of(self._directory)))
                return bool(connection.recv(1))
        except OSError:
            return False

    def stop_to_restart(self, names: Collection[str]) -> None:
        self.stop(names)

    def kill(self, names: Collection[str]) -> None:
        since = time.time()
        killed = self._signal(names, signal.SIGKILL)
        processes.wait_gone(killed.values(), SIGNAL_TIMEOUT_S)
        if self.runs(SUPERVISOR):  # the supervisor records how the process ended
            processes.wait_until(lambda: all(self.last_end(name, since) for name in killed), RECORD_TIMEOUT_S)

    def pause(self, names: Collection[str]) -> None:
        """Returns when all their threads are stopped."""
        stopped = self._signal(names, signal.SIGSTOP).values()
        processes.wait_until(lambda: all(process.paused() or not process.alive() for process in stopped), SIGNAL_TIMEOUT_S)

    def unpause(self, names: Collection[str]) -> None:
        continued = self._signal(names, signal.SIGCONT).values()
        processes.wait_until(lambda: not any(process.paused() for process in continued), SIGNAL_TIMEOUT_S)

    def _signal(self, names: Collection[str], number: signal.Signals) -> dict[str, processes.Process]:
        """Send the signal. Returns the processes that received it."""
        return {name: process for name, process in self._processes(names).items() if process.send(number)}

    def cut(self, names: Collection[str]) -> None:
        raise self.unsupported["cut"]

    def join(self, names: Collection[str]) -> None:
        """Nothing to do: this runtime never cuts components off."""

    def down(self, *, data: bool) -> None:
        supervisor = self._supervisor.process()
        if supervisor:
            supervisor.send(signal.SIGTERM)  # it starts no more components
        with suppress(OSError):
            # without a plan, a supervisor that is just starting cannot start components either
            (self._directory / plan.FILE).unlink(missing_ok=True)
        services = self.running() & {service.name for service in self._profile.services}
        self.stop(services)
        self.stop(self.running())
        if supervisor and processes.wait_gone([supervisor], SUPERVISOR_GRACE_S):
            supervisor.send(signal.SIGKILL)
        while strays := processes.marked(self._directory):
            processes.stop(dict.fromkeys(strays, STRAY_GRACE_S))
        with suppress(OSError, UserError):
            shutil.rmtree(paths.socket_directory(self._directory), ignore_errors=True)
        if data:
            shutil.rmtree(self._directory / "data", ignore_errors=True)

    def shell(self, component: str, variables: Collection[str]) -> list[str]:
        """Return the user's shell. `labkit shell` gives it the component's folder and environment."""
        return [os.environ.get("SHELL") or "/bin/sh"]


def _prepare_data(directory: Path, profile: Profile, found: installed.Installed, alive: Collection[str], view: Preparing) -> None:
    """Prepare the servers' data directories and the cached files that they need."""
    data = paths.make_private(directory / "data")
    os.environ[processes.MARKER] = str(directory)  # lets `down` find these processes if labkit is killed
    try:
        for server in profile.servers:
            if server.name not in alive:
                products.of(server.product).prepare(found.servers[server.product], data / server.name, directory / "scratch", view)
    finally:
        del os.environ[processes.MARKER]
