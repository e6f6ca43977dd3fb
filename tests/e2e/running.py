"""A stack that was brought up by the real command line, as tests use it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pymysql
import redis

from tests.e2e.shop import eventually

ROOT = Path(__file__).parents[2]


class RunningStack:
    def __init__(self, home: Path, name: str = "default") -> None:
        self.home = home
        self.name = name

    def labkit(self, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the command line. With `ok`, an exit code other than 0 fails the test with what was printed."""
        environment = {**os.environ, "LABKIT_HOME": str(self.home), "LABKIT_NAME": self.name}
        command = [sys.executable, "-m", "labkit", *arguments]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        assert not ok or done.returncode == 0, f"labkit {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        if arguments[0] in ("up", "down", "reset", "restart"):
            self.__dict__.pop("status", None)
        return done

    @cached_property
    def status(self) -> dict[str, Any]:
        """What `labkit status --json` says, as of the last command that changes it."""
        found: dict[str, Any] = json.loads(self.labkit("status", "--json", ok=False).stdout)
        return found

    def component(self, name: str) -> dict[str, Any]:
        return next(c for c in self.status["components"] if c["name"] == name)

    def url(self, name: str) -> str:
        return str(self.component(name)["endpoint"])

    def pid(self, name: str) -> int:
        return int(self.component(name)["pid"])

    def signal(self, pid: int, number: signal.Signals) -> None:
        os.kill(pid, number)

    def wait_ended(self, pid: int) -> None:
        eventually(lambda: Path(f"/proc/{pid}/stat").exists(), False)

    def log(self, name: str) -> str:
        return (self.home / "stacks" / self.name / "logs" / f"{name}.log").read_text(errors="replace")

    @property
    def kafka_bootstrap(self) -> str:
        return str(self.status["connections"]["kafka"]["bootstrap"])

    @property
    def redis(self) -> "redis.Redis":
        return redis.Redis(**self.status["connections"]["redis"], decode_responses=True)

    def sql(self, query: str, *values: object) -> list[dict[str, Any]]:
        with self._connection() as connection, connection.cursor(pymysql.cursors.DictCursor) as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall())

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A cursor in a transaction that is rolled back at the end."""
        with self._connection() as connection, connection.cursor() as cursor:
            connection.begin()
            yield cursor
            connection.rollback()

    def _connection(self) -> Any:
        return pymysql.connect(**self.status["connections"]["mysql"], autocommit=True, ssl_disabled=True)
