"""A stack's directory, `$LABKIT_HOME/stacks/NAME/`:

stack.json      what runs and where, see `Stack`          plan.json       how each component is started, for the supervisor
processes/      pid and start time of each component      events.jsonl    each start and end of a component
logs/           one file a component                      data/           mysql, kafka, redis
mark.json       where evidence begins                     reset.json      a reset is under way
accounts.json   the passwords of its stores          lock            held by the command that changes the stack

Nobody but its user may look into it.
"""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from labkit import paths
from labkit.errors import ExitCode, UserError
from labkit.stack.model import Component, Endpoint, Stack

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")


def directory_of(name: str) -> Path:
    if not _NAME.fullmatch(name):
        message = f"{name!r} is no name for a stack: use up to 31 small letters, digits, - and _."
        raise UserError(message, "labkit up --name mine", exit_code=ExitCode.USAGE)
    return paths.home() / "stacks" / name


def find(name: str) -> Stack | None:
    """The stack as it was last brought up, or None."""
    return read(directory_of(name))


def read(directory: Path) -> Stack | None:
    """That of a stack's directory."""
    try:
        text = (directory / "stack.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    data = json.loads(text)
    components = tuple(Component(**{**c, "endpoint": Endpoint(**c["endpoint"])}) for c in data.pop("components"))
    return Stack(**{**data, "directory": directory, "source": Path(data["source"]), "components": components})


def load(name: str) -> Stack:
    """The stack as it was last brought up. Raises UserError when there is none."""
    stack = find(name)
    if stack is None:
        raise UserError(f"There is no stack {name!r}.", "labkit up" if name == "default" else f"labkit up --name {name}")
    return stack


def save(stack: Stack) -> None:
    data = {**asdict(stack), "source": str(stack.source)}
    del data["directory"]
    paths.write(stack.directory / "stack.json", json.dumps(data, indent=1))


def all_names() -> list[str]:
    stacks = paths.home() / "stacks"
    return sorted(entry.parent.name for entry in stacks.glob("*/stack.json")) if stacks.is_dir() else []


@contextmanager
def exclusive(name: str, command: str) -> Iterator[Path]:
    """Only one command changes a stack at a time. Raises UserError that says which one does."""
    import fcntl

    directory = directory_of(name)
    try:
        paths.make_private(directory)
    except OSError as error:
        raise UserError(f"{directory} cannot be made: {error.strerror}.", "export LABKIT_HOME=DIR, a folder of yours") from None
    # opened without inheritance (Python's default): a server that kept the lock would block every later command
    with (directory / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another labkit command"
            raise UserError(f"{holder} is at work on the stack {name!r}.", "wait until it is done, or stop it") from None
        file.truncate(0)
        file.write(f"labkit {command} (pid {os.getpid()}, since {time.strftime('%H:%M:%S')})")
        file.flush()
        yield directory
        file.truncate(0)


def refuse_foreign_platform() -> None:
    if sys.platform not in ("linux", "darwin"):
        raise UserError(
            "labkit runs on Linux and macOS; on Windows it runs inside WSL2.", "https://learn.microsoft.com/windows/wsl/install"
        )
