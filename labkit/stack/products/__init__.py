"""What labkit does in another way with each product that a server of a profile can be.

A further product is a module here with a class that does what `Product` says, and an entry below.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from labkit.system.model import Profile

if TYPE_CHECKING:
    from labkit.account import Account
    from labkit.preparing import Preparing
    from labkit.stack.model import Stack

_CLASSES = {"mysql": "Mysql", "kafka": "Kafka", "redis": "Redis"}
NAMES = tuple(_CLASSES)


@dataclass(frozen=True)
class Started:
    """How a server is started as a process of this machine. `settings`: a file that the command line names."""

    argv: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Path | None = None


class Product(Protocol):
    grace_s: float
    """How long it may take to end by itself."""
    memory_mb: int
    """What it uses in a container on a quiet stack."""
    has_second_port: bool
    """A server of it listens on one more port, which is nobody else's business."""
    container_shell: tuple[str, ...]
    """The command of a shell in its container, with the variables of `shell_environment`."""
    needed: str
    """What a machine lacks that does not have it."""

    def find(self) -> Any:
        """The one on this machine, None without one. The other methods get it as `found`."""

    def version(self, found: Any) -> str:
        """For people."""

    def prepare(self, found: Any, data: Path, scratch: Path, view: "Preparing") -> None:
        """Make the data directory, or leave the one that is there, and what is made once and kept in the cache."""

    def started(self, found: Any, stack: "Stack", name: str, data: Path) -> Started: ...

    def same_start(self, argv: list[str]) -> list[str]:
        """The words of a command line that are a reason to restart the server when they change."""

    def repaired(self, log: list[str]) -> str | None:
        """What labkit has just repaired of a server that did not start, as a sentence."""

    def account(self, stack: "Stack", name: str) -> "Account":
        """The one by which labkit reaches it."""

    def not_ready(self, account: "Account", timeout_s: float) -> str | None:
        """Why it does not answer. None when it does."""

    def container_settings(self, stack: "Stack", name: str) -> dict[str, str]:
        """The variables of compose.yaml with its passwords. Empty texts where none is asked for."""

    def client(self, stack: "Stack", name: str) -> tuple[list[str], dict[str, str]] | None:
        """The command line of its own prompt on this machine, and the variables that hold the login. None without one."""

    def shell_environment(self, stack: "Stack", name: str) -> dict[str, str]:
        """The variables that its clients read a login from, in a shell where it runs."""

    def hint(self, stack: "Stack", name: str) -> str:
        """The command that is logged in there, as a sentence."""


def of(name: str) -> Product:
    """Raises KeyError for a product that labkit does not know."""
    found: Product = getattr(importlib.import_module(f"labkit.stack.products.{name}"), _CLASSES[name])()
    return found


def of_component(profile: Profile, name: str) -> Product | None:
    """None for a service."""
    return next((of(server.product) for server in profile.servers if server.name == name), None)
