"""The bench's own stack, used through the command line like a person would: with its own LABKIT_HOME and name, removed afterwards."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import pss_mb
from labkit.load.model import LoadTarget
from labkit.system import find

NAME = "bench"
SILENT = subprocess.DEVNULL


@dataclass(frozen=True)
class Status:
    pids: dict[str, int]
    endpoints: dict[str, str]
    connections: dict[str, Any]
    memory_mb: dict[str, float]

    def target(self, *, direct: bool) -> LoadTarget:
        mysql = self.connections["mysql"]
        return LoadTarget(
            orders_table=str(find.default().table("order")),
            customers_url=self.endpoints["customers" if direct else "gateway"],
            orders_url=self.endpoints["orders" if direct else "gateway"],
            mysql_host=mysql["host"],
            mysql_port=mysql["port"],
            mysql_user=mysql["user"],
            mysql_password=mysql["password"],
        )


class Labkit:
    def __init__(self, home: Path, environment: Mapping[str, str], folder: Path | None = None) -> None:
        self.home = str(home)
        self._folder = folder
        self._environment = {**os.environ, "LABKIT_HOME": str(home), "LABKIT_NAME": NAME, **environment}
        script = Path(sys.executable).with_name("labkit")
        self._command = [str(script)] if script.exists() else [sys.executable, "-c", "from labkit.cli import main; main()"]

    def inside(self, folder: Path) -> "Labkit":
        """The same, for a person whose terminal is in this folder."""
        return Labkit(Path(self.home), self._environment, folder)

    def __call__(self, *arguments: str) -> str:
        """Returns the command's standard output. Ends the bench with the command's output when it fails."""
        words = [*self._command, *arguments]
        done = subprocess.run(
            words, cwd=self._folder, env=self._environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode != 0:
            sys.exit(f"labkit {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def timed(self, *arguments: str) -> float:
        """Returns the duration in seconds."""
        start = time.perf_counter()
        self(*arguments)
        return time.perf_counter() - start

    def weighed(self, *arguments: str) -> float:
        """Returns the peak memory of the command and its children together, in MB of PSS, sampled every 50 ms."""
        import psutil

        most = 0.0
        words = [*self._command, *arguments]
        with subprocess.Popen(words, env=self._environment, stdin=SILENT, stdout=SILENT, stderr=SILENT) as running:
            while running.poll() is None:
                with suppress(psutil.Error, OSError):
                    family = [running.pid, *(child.pid for child in psutil.Process(running.pid).children(recursive=True))]
                    most = max(most, sum(map(pss_mb, family)))
                time.sleep(0.05)
        return most

    def status(self) -> Status:
        status = json.loads(self("status", "--json"))
        components = status["components"]
        return Status(
            pids={component["name"]: component["pid"] for component in components if component["pid"]},
            endpoints={component["name"]: component["endpoint"] for component in components},
            connections=status["connections"],
            memory_mb={component["name"]: component["memory_bytes"] / 1e6 for component in components if component["memory_bytes"]},
        )


@contextmanager
def own_labkit(**environment: str) -> Iterator[Labkit]:
    with tempfile.TemporaryDirectory(prefix="labkit-bench-") as home:
        labkit = Labkit(Path(home), environment)
        try:
            yield labkit
        finally:
            labkit("down", "--data")
