"""Which stack of this machine has a claim to a port: nobody else takes it while who listens there is killed, restarted or only starting.

One file a port in the user's private directory, which all homes of labkit share. A claim holds while the command lives that made it;
once the stack is up it holds until `labkit down`, a reboot, or the end of the stack's directory.
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
    """One process at a time looks and claims."""
    with paths.locked(paths.private_directory() / "ports.lock"):
        yield


def of_others(stack: Path) -> dict[int, Path]:
    """The ports that other stacks have a claim to, and those stacks' directories. Who goes on to claim one holds the lock."""
    return {int(file.name): Path(claim["stack"]) for file, claim in _all() if claim and claim["stack"] != str(stack)}


def make(stack: Path, numbers: Iterable[int]) -> None:
    """The stack has a claim to these while this process lives."""
    me = processes.identified(os.getpid())
    _write(stack, numbers, {"pid": me.pid, "start": me.start})


def settle(stack: Path, numbers: Iterable[int]) -> None:
    """The stack is up, and has a claim to these alone until it is down."""
    with locked():
        _give_back(stack)
        _write(stack, numbers, {"boot": processes.boot()})


def give_back(stack: Path) -> None:
    """The stack has no claim any more."""
    with locked():
        _give_back(stack)


def _give_back(stack: Path) -> None:
    """With it goes every claim that does not hold any more. The caller has the lock: else somebody may just have made that one anew."""
    for file, claim in _all():
        if claim is None or claim["stack"] == str(stack):
            file.unlink(missing_ok=True)


def _write(stack: Path, numbers: Iterable[int], holds_while: dict[str, Any]) -> None:
    for number in numbers:
        paths.write(_directory() / str(number), json.dumps({"stack": str(stack), **holds_while}))


def _all() -> Iterator[tuple[Path, dict[str, Any] | None]]:
    """Each claim's file, and the claim; None when it does not hold any more."""
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
