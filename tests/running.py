"""labkit and its stacks as the tests use them: the real command line in a process, with real servers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import platformdirs
import pymysql.cursors
import pytest
import redis as redis_client

from labkit.brokers.kafka import library
from labkit.stack import runtimes, sql, state
from labkit.stack.model import Stack
from labkit.stack.runtime import Runtime
from labkit.stack.status import facts
from labkit.stack.transactions import Transaction, open_transactions
from labkit.system import find

ROOT = Path(__file__).parents[1]
PROFILE = find.default()
COMPONENTS, SERVICES = PROFILE.components, tuple(service.name for service in PROFILE.services)
DEFAULT_PORTS = {part.name: part.port for part in PROFILE.parts}
PASSED_ON = (
    "LABKIT_CACHE",
    "LABKIT_REGISTRY",
    "LABKIT_START_TIMEOUT",
    *(f"LABKIT_{kind}_IMAGE" for kind in ("MYSQL", "KAFKA", "REDIS", "SERVICES")),
)
TIMEOUT = 120.0  # seconds for one command; the first `up` on a machine makes Kafka's class-data archive


@dataclass(frozen=True)
class Labkit:
    """The command line, with its own LABKIT_HOME and stack name."""

    home: Path
    name: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        return self.home / "stacks" / self.name

    def __call__(self, *arguments: str, ok: bool = True, timeout: float = TIMEOUT) -> "subprocess.CompletedProcess[str]":
        """Runs `labkit ARGUMENTS` without a terminal. With `ok`, an exit code other than 0 fails the test and shows the output."""
        done = subprocess.run(
            self._command(arguments),
            env=self._environment(),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
        said = f"labkit {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        assert done.returncode == 0 or not ok, said
        return done

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        """Starts `labkit ARGUMENTS` in its own process group, so that it can be interrupted."""
        return subprocess.Popen(
            self._command(arguments),
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self("status", "--json", ok=False).stdout)
        return status

    def facts(self) -> dict[str, Any] | None:
        """The facts behind the status, read without a new process; None when there is no stack."""
        found = state.read(self.directory)
        return None if found is None else facts(found)

    def when_ready(self) -> dict[str, Any]:
        """The status once everything is ready. Labkit asks each component for at most a second, but a machine can pause for longer."""
        seen: list[dict[str, Any]] = []

        def all_ready() -> bool:
            seen.append(self.status())
            return bool(seen[-1]["ready"])

        wait_until(all_ready, "all components are ready")
        return seen[-1]

    def processes(self) -> dict[int, str]:
        """Every process of the stack on this machine, with its command line. Does not use labkit's own records."""
        marker = f"LABKIT_STACK_DIR={self.directory}".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and marker in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.directory / "events.jsonl").read_text().splitlines()]

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "labkit", *arguments]

    def _environment(self) -> dict[str, str]:
        passed_on = {name: value for name, value in os.environ.items() if not name.startswith("LABKIT_") or name in PASSED_ON}
        return {
            **passed_on,
            "PYTHONPATH": str(ROOT),
            "LABKIT_HOME": str(self.home),
            "LABKIT_NAME": self.name,
            "LABKIT_RUNTIME": "native",
            **self.environment,
        }


class RunningStack:
    """A running stack. Its addresses are those of the first request, or those given in `status`."""

    def __init__(self, labkit: Labkit, status: dict[str, Any] | None = None) -> None:
        self.labkit = labkit
        if status is not None:
            self._first_status = status

    @cached_property
    def _first_status(self) -> dict[str, Any]:
        return self.labkit.status()

    def url(self, component: str) -> str:
        """Returns a URL such as `http://127.0.0.1:8081`."""
        return next(str(c["endpoint"]) for c in self._first_status["components"] if c["name"] == component)

    def is_ready(self) -> bool:
        """Whether all components are ready now, judged as `labkit status` does."""
        return bool(facts(self.described)["ready"])

    @property
    def described(self) -> Stack:
        """labkit's own object for the stack, with its accounts."""
        found = state.read(self.labkit.directory)
        assert found is not None
        return found

    @property
    def kafka_client(self) -> dict[str, Any]:
        """The configuration of a Kafka client: address and login."""
        return library.settings(self.described.broker)

    @cached_property
    def redis(self) -> "redis_client.Redis":
        at = self.described.redis
        return redis_client.Redis(host=at.host, port=at.port, password=at.password or None, decode_responses=True)

    def sql(self, statement: str, *arguments: object) -> list[dict[str, Any]]:
        """Runs a statement as administrator, in its own connection, and commits. Returns rows as dictionaries."""
        at = self._first_status["connections"]["mysql"]
        connection = sql.connect(**at, autocommit=True, cursorclass=pymysql.cursors.DictCursor)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, arguments or None)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def open_transactions(self) -> list[Transaction]:
        """The open transactions of all accounts."""
        with self.transaction() as cursor:
            return open_transactions(cursor)

    def somebody_waits_for_a_lock(self) -> bool:
        return any(transaction.waits for transaction in self.open_transactions())

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """An administrator's cursor in a transaction that is rolled back at the end."""
        connection = sql.connect(**self._first_status["connections"]["mysql"])
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def log(self, component: str) -> str:
        """The log as the component wrote it."""
        return "\n".join(self.runtime.log(component, None))

    def pid(self, component: str) -> int:
        """The component's current process id."""
        found = next(c["pid"] for c in self.labkit.status()["components"] if c["name"] == component)
        assert found is not None, f"{component} does not run"
        return int(found)

    def pids(self) -> dict[str, int | None]:
        return {c["name"]: c["pid"] for c in self.labkit.status()["components"]}

    def begun_since(self, moment: float) -> set[str]:
        """The components restarted since `moment` (time.monotonic()). A restarted service in a container keeps its process."""
        while True:  # repeat until the look was fast enough to be exact
            before, seen, after = time.monotonic(), self.runtime.status(), time.monotonic()
            uptimes = {name: component.uptime_s or 0.0 for name, component in seen.items()}
            begun = {name for name, uptime in uptimes.items() if before - uptime > moment}
            if begun == {name for name, uptime in uptimes.items() if after - uptime > moment}:
                return begun

    @property
    def runtime(self) -> Runtime:
        """The runtime, for disturbing the stack as labkit does."""
        return runtimes.of(str(self._first_status["runtime"]), self.labkit.directory, PROFILE)

    def restart(self, component: str) -> None:
        self.labkit("restart", component)

    def kill(self, component: str) -> None:
        """Kills the component like kill -9, through the runtime. It has ended on return."""
        self.runtime.kill([component])

    @contextmanager
    def paused(self, component: str) -> Iterator[None]:
        runtime = self.runtime
        runtime.pause([component])
        try:
            yield
        finally:
            runtime.unpause([component])

    @staticmethod
    def signal(pid: int, number: signal.Signals) -> None:
        os.kill(pid, number)

    @staticmethod
    def wait_ended(pid: int) -> None:
        wait_until(lambda: not is_alive(pid), f"process {pid} ends")


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Distinct free ports of 127.0.0.1. Choosing them one by one could yield the same port twice."""
    with ExitStack() as opened:
        drawn = [opened.enter_context(socket.socket()) for _ in range(count)]
        for each in drawn:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in drawn]


def user_cache() -> Path:
    """The cache that test stacks share with all others, because its contents are expensive to make."""
    return Path(os.environ.get("LABKIT_CACHE") or platformdirs.user_cache_path("labkit", appauthor=False))


def is_alive(pid: int) -> bool:
    """Returns False also for a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def in_soak(*values: object) -> list[Any]:
    """Parameters that only `make soak` runs: for the tested code they are equivalent to one that CI runs."""
    return [pytest.param(value, marks=pytest.mark.soak) for value in values]


def unix_socket_accepts(at: Path) -> bool:
    """Does somebody listen there? To be asked before PyMySQL is: it does not close a socket that was refused."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(at)) == 0


def wait_until(condition: Callable[[], object], what: str, within: float = 60.0) -> None:
    """Look again after twice the time that a look takes (10 to 200 ms), so that looking leaves the machine to what is waited for."""
    deadline = time.monotonic() + within
    while True:
        began = time.monotonic()
        if condition():
            return
        assert time.monotonic() < deadline, f"waited {within:.0f} s until {what}"
        time.sleep(min(0.2, max(0.01, 2 * (time.monotonic() - began))))
