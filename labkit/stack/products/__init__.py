"""The products that a profile's servers can be, and what differs between them.

To add a product, add a module here with a class that implements `Product`, and an entry below.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from labkit.system.model import Profile

if TYPE_CHECKING:
    from labkit.account import Account
    from labkit.preparation_report import Preparing
    from labkit.stack.model import Stack

_CLASSES = {"mysql": "Mysql", "kafka": "Kafka", "redis": "Redis"}
NAMES = tuple(_CLASSES)
SERVICE_GRACE_S = 4.0  # time that a service may take to end by itself


@dataclass(frozen=True)
class Started:
    """How to start a server as a process of this machine. `settings` is a file that the command line names."""

    argv: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Path | None = None


class Product(Protocol):
    grace_s: float
    """Seconds that it may take to end by itself."""
    memory_mb: int
    """Memory of its container on a quiet stack."""
    has_second_port: bool
    """Whether a server listens on a second port, for internal use."""
    container_shell: tuple[str, ...]
    """The shell command for its container, which uses the variables of `shell_environment`."""
    needed: str
    """What a machine without it lacks, for people."""

    def find(self) -> Any:
        """Return the installation on this machine, or None. The other methods receive it as `found`."""

    def version(self, found: Any) -> str:
        """Return the version, for people."""

    def prepare(self, found: Any, data: Path, scratch: Path, view: "Preparing") -> None:
        """Create the data directory unless it exists, and the files that are made once and cached."""

    def started(self, found: Any, stack: "Stack", name: str, data: Path) -> Started: ...

    def same_start(self, argv: list[str]) -> list[str]:
        """Return the words of a command line whose change requires a restart of the server."""

    def repaired(self, log: list[str]) -> str | None:
        """Repair a known cause of a failed start. Returns what was repaired, as a sentence, or None."""

    def account(self, stack: "Stack", name: str) -> "Account":
        """Return the account that labkit uses."""

    def not_ready(self, account: "Account", timeout_s: float) -> str | None:
        """Return why the server does not answer, or None when it does."""

    def container_settings(self, stack: "Stack", name: str) -> dict[str, str]:
        """Return the variables of compose.yaml with the server's passwords. They are empty when no password is required."""

    def client(self, stack: "Stack", name: str) -> tuple[list[str], dict[str, str]] | None:
        """Return the command line of the product's own client on this machine and its login variables, or None without a client."""

    def shell_environment(self, stack: "Stack", name: str) -> dict[str, str]:
        """Return the variables from which its clients read a login, for a shell where the server runs."""

    def hint(self, stack: "Stack", name: str) -> str:
        """Return a sentence with the command that is already logged in in that shell."""


def of(name: str) -> Product:
    """Return the product of this name. Raises KeyError when labkit does not know it."""
    found: Product = getattr(importlib.import_module(f"labkit.stack.products.{name}"), _CLASSES[name])()
    return found


def grace_s(profile: Profile, component: str) -> float:
    """Return how long a component may take to end by itself before it is killed."""
    product = of_component(profile, component)
    return product.grace_s if product else SERVICE_GRACE_S


def of_component(profile: Profile, name: str) -> Product | None:
    """Return the product of a server, or None for a service."""
    return next((of(server.product) for server in profile.servers if server.name == name), None)
