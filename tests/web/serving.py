"""Starts a service's process for a test and stops it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.running import ROOT, free_port

WITHIN_S = 60.0  # a process can lose the processor for seconds


@dataclass
class Served:
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def served(arguments: list[str], log: Path, **environment: str) -> Iterator[Served]:
    """Yields when the process answers HTTP, which does not mean that it is *ready*. After a stop request it must exit with 0."""
    port = free_port()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(port), **environment}
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, *arguments], env=env, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    try:
        _until_it_answers(port, process, log)
        yield Served(port, process, log)
        process.terminate()
        assert process.wait(WITHIN_S) == 0
    finally:
        process.kill()
        process.wait()


def _until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            httpx.get(f"http://127.0.0.1:{port}/health", timeout=WITHIN_S, trust_env=False)
            return
        except httpx.TransportError:
            time.sleep(0.02)
    raise AssertionError(f"no answer on port {port}:\n{log.read_text()}")
