"""Claims of this machine's stacks to ports. A claim keeps others from taking a port while its owner restarts, starts or is killed.

There is one file per port, in the user's private directory, which all labkit homes share. A claim is valid while the command that made it
lives. Once the stack is up, the claim lasts until `labkit down`, a reboot, or the removal of the stack's directory.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.stack import processes


def _directory() -> Path:
    return paths.private_directory() / "ports"


@contextmanager
def locked() -> Iterator[None]:
    """Hold the lock while looking for ports and claiming them."""
    with paths.locked(paths.private_directory() / "ports.lock"):
        yield


def of_others(stack: Path) -> dict[int, Path]:
    """Return the ports that other stacks claim, with those stacks' directories. To claim a port after that, call this under the lock."""
    return {int(file.name): Path(claim["stack"]) for file, claim in _all() if claim and claim["stack"] != str(stack)}


def make(stack: Path, numbers: Iterable[int]) -> None:
    """Claim these ports for the stack while this process lives."""
    me = processes.identified(os.getpid())
    _write(stack, numbers, {"pid": me.pid, "start": me.start})


def settle(stack: Path, numbers: Iterable[int]) -> None:
    """Claim these ports, and no others, until the stack is down."""
    with locked():
        _give_back(stack)
        _write(stack, numbers, {"boot": processes.boot()})


def give_back(stack: Path) -> None:
    """Give up all claims of the stack."""
    with locked():
        _give_back(stack)


def _give_back(stack: Path) -> None:
    """Remove the stack's claims and all expired claims. The caller holds the lock, so that no new claim is removed by mistake."""
    for file, claim in _all():
        if claim is None or claim["stack"] == str(stack):
            file.unlink(missing_ok=True)


def _write(stack: Path, numbers: Iterable[int], holds_while: dict[str, Any]) -> None:
    for number in numbers:
        paths.write(_directory() / str(number), json.dumps({"stack": str(stack), **holds_while}))


def _all() -> Iterator[tuple[Path, dict[str, Any] | None]]:
    """Yield each claim's file and its claim, or None for an expired or damaged claim."""
    for file in _directory().glob("[0-9]*"):
        try:
            int(file.name)
            claim = json.loads(file.read_text(encoding="utf-8"))
            holds = _holds(claim)
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError):
            holds = False
        yield file, claim if holds else None


def _holds(claim: dict[str, Any]) -> bool:
    if "boot" in claim:
        return claim["boot"] == processes.boot() and (Path(claim["stack"]) / "stack.json").exists()
    return processes.Process(int(claim["pid"]), str(claim["start"])).alive()
