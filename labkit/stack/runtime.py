"""What every way of running a stack can do."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from labkit.stack.model import Stack


class Runtime(Protocol):
    """Changes happen to what really runs, whatever was recorded: a process that was killed is simply not running."""

    stack: Stack

    def running(self) -> set[str]:
        """The components that run now, ready or not."""

    def start(self, plan: Mapping[str, Any], names: Collection[str]) -> float:
        """Start these at once and return when that was (epoch seconds); waits for nothing."""

    def check(self) -> None:
        """Raises UserError when what should look after the components has ended."""

    def stop(self, names: Collection[str]) -> None:
        """Ask these to end, and kill those that do not. On return none of them runs."""

    def down(self) -> None:
        """Stop everything. On return no process of the stack is left."""
