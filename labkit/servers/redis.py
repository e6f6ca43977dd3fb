"""Redis or Valkey: find the server and build its command line."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.paths import write_private
from labkit.servers.cache import cache_dir, version_text

FOLDERS = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", "/home/linuxbrew/.linuxbrew/bin")
OLDEST = (6, 2)


@dataclass(frozen=True)
class RedisServer:
    """A server on this machine. `kind` is "Redis" or "Valkey"; `version` looks like "7.0.15"."""

    binary: Path
    kind: str
    version: str


def find() -> RedisServer | None:
    return next((server for binary in _candidates() if (server := _examine(binary))), None)


def command(server: RedisServer, *, data: Path, port: int, password: str) -> list[str]:
    """Return the command line. `data` must exist. Without a password, Redis requires none.

    The password goes to a settings file, because every user can read a command line.
    """
    settings = settings_of(data)
    write_private(settings, f"requirepass {password}\n" if password else "")
    return [
        str(server.binary),
        str(settings),
        "--bind", "127.0.0.1",
        "--protected-mode", "yes",
        "--port", str(port),
        "--dir", str(data),
        "--daemonize", "no",
        "--set-proc-title", "no",  # a title would overwrite the environment, which identifies a stack's processes
        "--appendonly", "yes",
        "--appendfsync", "everysec",
        "--save", "",
    ]  # fmt: skip


def settings_of(data: Path) -> Path:
    return data / "redis.conf"


def _candidates() -> Iterator[Path]:
    for name in ("redis-server", "valkey-server"):
        for found in _everywhere(name):
            yield found
    # Debian's redis-tools has the complete server under the name redis-check-rdb; the name decides what the program does. Without the
    # redis-server package, no system service occupies 6379.
    for name, checker in (("redis-server", "redis-check-rdb"), ("valkey-server", "valkey-check-rdb")):
        for found in _everywhere(checker):
            yield _called(name, found)


def _everywhere(name: str) -> Iterator[Path]:
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)
    for folder in FOLDERS:
        binary = Path(folder, name)
        if os.access(binary, os.X_OK):
            yield binary


def _called(name: str, binary: Path) -> Path:
    link = cache_dir() / "bin" / name
    if not (link.is_symlink() and link.readlink() == binary):
        link.parent.mkdir(exist_ok=True)
        fresh = link.with_name(f"{name}.{os.getpid()}")
        fresh.symlink_to(binary)
        fresh.replace(link)
    return link


def _examine(binary: Path) -> RedisServer | None:
    found = re.match(r"(Redis|Valkey|Server) server v=(\d+)\.(\d+)\.(\d+)", version_text(binary, "--version"))
    if found is None or (int(found[2]), int(found[3])) < OLDEST:
        return None
    kind = "Valkey" if "valkey" in binary.resolve().name or found[1] == "Valkey" else "Redis"
    return RedisServer(binary, kind, ".".join(found.groups()[1:]))
