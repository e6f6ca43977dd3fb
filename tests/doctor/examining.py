"""labkit doctor, as the tests use it."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import psutil

from tests.running import ROOT, Labkit, wait_until


@dataclass(frozen=True)
class Report:
    exit_code: int
    whole: dict[str, Any]

    def __getitem__(self, finding: str) -> dict[str, Any]:
        """The single finding with this id."""
        found = [f for f in self.whole["findings"] if f["id"] == finding]
        assert len(found) == 1, f"{finding} is not among {[f['id'] for f in self.whole['findings']]}"
        return dict(found[0])

    def __contains__(self, finding: str) -> bool:
        return any(f["id"] == finding for f in self.whole["findings"])

    def about(self, start: str) -> list[dict[str, Any]]:
        return [f for f in self.whole["findings"] if f["id"].startswith(start)]

    @property
    def in_the_way(self) -> set[str]:
        return {f["id"] for f in self.whole["findings"] if f["verdict"] == "bad"}


@dataclass(frozen=True)
class BusyPort:
    """A port and the process that listens on it."""

    number: int
    pid: int
    name: str
    command: str

    def is_still_held(self) -> bool:
        """Whether that process still holds the port."""
        return self.pid in _listeners(self.number)

    @classmethod
    def now(cls, number: int) -> "BusyPort":
        """The process that listens on the port; waits until there is one."""
        wait_until(lambda: _listeners(number), f"somebody listens on port {number}")
        return cls.of(number, _listeners(number)[0])

    @classmethod
    def of(cls, number: int, pid: int) -> "BusyPort":
        process = psutil.Process(pid)
        return cls(number, pid, process.name(), shlex.join(process.cmdline()))


def _listeners(number: int) -> list[int]:
    found = [c for c in psutil.net_connections("tcp4") if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == number]
    return [c.pid for c in found if c.pid]


def examined(labkit: Labkit, *arguments: str) -> Report:
    done = labkit("doctor", "--json", *arguments, ok=False)
    assert done.stderr == ""
    whole = json.loads(done.stdout)
    assert done.returncode == whole["exit_code"]
    assert all(f["fix"] for f in whole["findings"] if f["verdict"] == "bad")
    return Report(done.returncode, whole)


def as_nobody(*arguments: str, cwd: "str | os.PathLike[str]" = "/", **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs `labkit ARGUMENTS` as a user without any rights. Needs root."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return subprocess.run(
        [*nobody, sys.executable, "-m", "labkit", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        cwd=cwd,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
