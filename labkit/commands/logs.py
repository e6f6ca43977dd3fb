"""labkit logs: what the components wrote."""

import time
from pathlib import Path
from typing import BinaryIO

from labkit import say
from labkit.errors import ExitCode, UserError
from labkit.stack import state, wait
from labkit.stack.model import COMPONENTS, SUPERVISOR

LINES_OF_ALL = 10
INTERVAL = 0.2  # seconds between two looks when following


def logs(stack_name: str, component: str | None, *, follow: bool, lines: int | None) -> ExitCode:
    """All of one component's log, or the end of each; `follow` goes on until Ctrl-C."""
    names = (*COMPONENTS, SUPERVISOR)
    if component is not None and component not in names:
        message = f"There is no component {component!r}; a stack has {', '.join(names)}."
        raise UserError(message, f"labkit logs {COMPONENTS[3]}", exit_code=ExitCode.USAGE)
    directory = state.load(stack_name).directory / "logs"
    shown = [component] if component else [name for name in names if (directory / f"{name}.log").exists()]
    count = lines if lines is not None else LINES_OF_ALL if component is None or follow else None
    for name in shown:
        _show(directory / f"{name}.log", f"{name:13} | " if component is None else "", count)
    if follow:
        _follow({name: directory / f"{name}.log" for name in shown}, prefixed=component is None)
    return ExitCode.OK


def _show(path: Path, prefix: str, count: int | None) -> None:
    if count is not None:
        for line in wait.last_lines(path, count, size=1024 * 1024) if count else []:
            say.line(prefix + line)
        return
    if not path.exists():
        raise UserError(f"{path.stem} has written nothing yet.", "labkit up")
    with path.open(errors="replace") as file:
        for line in file:
            say.line(prefix + line.rstrip("\n"))


def _follow(paths: dict[str, Path], *, prefixed: bool) -> None:
    files: dict[str, BinaryIO] = {}
    rest = dict.fromkeys(paths, b"")
    for name, path in paths.items():
        if path.exists():
            files[name] = path.open("rb")
            files[name].seek(0, 2)
    while True:
        for name, path in paths.items():
            if path.exists() and (name not in files or path.stat().st_ino != _inode(files[name])):  # put aside, or new
                files[name] = path.open("rb")
            if name in files:
                *whole, rest[name] = (rest[name] + files[name].read()).split(b"\n")
                for line in whole:
                    say.line((f"{name:13} | " if prefixed else "") + line.decode(errors="replace"))
        time.sleep(INTERVAL)


def _inode(file: BinaryIO) -> int:
    import os

    return os.fstat(file.fileno()).st_ino
