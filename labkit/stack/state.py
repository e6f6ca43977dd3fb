"""A stack's directory, `$LABKIT_HOME/stacks/NAME/`:

stack.json      what runs and where, see `Stack`          plan.json       how each component is started, for the supervisor
processes/      pid and start time of each component      events.jsonl    each start and end of a component
logs/           one file per component                    data/           each server's data
mark.json       where evidence begins                     reset.json      an unfinished reset
accounts.json   the passwords of its stores               lock            held by the command that changes the stack

Only its user can read it.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.errors import Damaged, ExitCode, UserError
from labkit.stack import stack_names
from labkit.stack.model import Component, Endpoint, Stack
from labkit.stack.runtime import NAMES
from labkit.system import DEFAULT
from labkit.system import find as profiles
from labkit.system.model import Profile

FILE = "stack.json"


def find(name: str) -> Stack | None:
    """Return the stack as it was last brought up, or None."""
    return read(stack_names.directory_of(name))


def read(directory: Path) -> Stack | None:
    """Return the stack of this directory, or None."""
    name, path = directory.name, directory / FILE
    repair = f"labkit down{stack_names.named(name)}, then labkit up{stack_names.named(name)}"
    try:
        data = paths.read_json(path, dict, repair)
    except FileNotFoundError:
        return None
    try:
        stack = _stack(directory, data)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise Damaged(path, "its content is not what labkit writes", repair) from None
    if stack.name != name or stack.runtime not in NAMES or tuple(c.name for c in stack.components) != stack.names:
        raise Damaged(path, "its content is not what labkit writes", repair)
    return stack


def _stack(directory: Path, data: dict[str, Any]) -> Stack:
    parts = [{**c, "endpoint": Endpoint(**{**c["endpoint"], "port": int(c["endpoint"]["port"])})} for c in data["components"]]
    components = tuple(Component(**part) for part in parts)
    profile = profile_of(data.get("profile", DEFAULT))
    return Stack(**{**data, "directory": directory, "profile": profile, "source": Path(data["source"]), "components": components})


def profile_of(name: str | None) -> Profile:
    """Return the profile of this name, or the default profile. Raises UserError when there is none of this name."""
    labs = paths.content() / "labs"
    found = profiles.profile(name or DEFAULT, labs)
    if found is None:
        known = ", ".join(profiles.names(labs))
        raise UserError(f"There is no profile {name!r}; there are {known}.", "labkit up --help", exit_code=ExitCode.USAGE)
    return found


def profile_of_stack(name: str) -> Profile:
    """Return the profile of this stack, or of a new stack with this name. Raises UserError when its state is damaged."""
    stack = find(name)
    return stack.profile if stack else profiles.default()


def find_undamaged(name: str) -> Stack | None:
    """As find, but returns None for a damaged stack. For commands that look at other stacks than their own."""
    try:
        return find(name)
    except Damaged:
        return None


def load(name: str) -> Stack:
    """Return the stack as it was last brought up. Raises UserError when there is none."""
    stack = find(name)
    if stack is None:
        raise UserError(f"There is no stack {name!r}.", f"labkit up{stack_names.named(name)}")
    return stack


def save(stack: Stack) -> None:
    data = {
        "name": stack.name,
        "runtime": stack.runtime,
        "profile": stack.profile.name,
        "source": str(stack.source),
        "address_bits": stack.address_bits,
        "components": [asdict(component) for component in stack.components],
        "controller_port": stack.controller_port,
    }
    paths.write(stack.directory / FILE, json.dumps(data, indent=1))


def all_names() -> list[str]:
    stacks = paths.home() / "stacks"
    return sorted(entry.parent.name for entry in stacks.glob(f"*/{FILE}")) if stacks.is_dir() else []


@contextmanager
def exclusive(name: str, command: str) -> Iterator[Path]:
    """Let one command change the stack at a time. Raises UserError that names the command that holds the lock."""
    import fcntl

    directory = stack_names.directory_of(name)
    try:
        paths.make_private(directory)
    except OSError as error:
        raise UserError(f"{directory} cannot be created: {error.strerror}.", "export LABKIT_HOME=DIR, a folder of yours") from None
    lock = _lock(directory)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(directory) or "another labkit command"
            raise UserError(f"{holder} is at work on the stack {name!r}.", "wait until it is done, or stop it") from None
        _note_holder(lock, f"labkit {command} (pid {os.getpid()}, since {time.strftime('%H:%M:%S')})")
        yield directory
        _note_holder(lock, "")
    finally:
        os.close(lock)


def _lock(directory: Path) -> int:
    """Take the lock, which child processes do not inherit (Python's default): a server that held it would block later commands.

    If no file can be written, lock the directory itself, so that `labkit down` still works.
    """
    try:
        return os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return os.open(directory, os.O_RDONLY)


def _holder(directory: Path) -> str:
    try:
        return (directory / "lock").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _note_holder(lock: int, text: str) -> None:
    """Record the holder's name for people. A failed write on a full disk is ignored."""
    with suppress(OSError):
        os.truncate(lock, 0)
        os.pwrite(lock, text.encode(), 0)


def refuse_foreign_platform() -> None:
    if sys.platform not in ("linux", "darwin"):
        raise UserError(
            "labkit runs on Linux and macOS; on Windows it runs inside WSL2.", "https://learn.microsoft.com/windows/wsl/install"
        )
