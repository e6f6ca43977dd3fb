"""The interface of a fault primitive."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labkit.faults.ledger import Fault, Ledger
from labkit.stack.model import Stack

Facts = dict[str, Any]


@dataclass(frozen=True)
class Proof:
    """Two independent proofs that a fault fired: from the service that met it, and from outside that service. None means not seen."""

    service: str | None = None
    outside: str | None = None

    @property
    def fired(self) -> bool:
        return self.service is not None and self.outside is not None


@dataclass(frozen=True)
class Primitive:
    """How to apply, undo, detect and prove one kind of fault.

    `apply` and `undo` return facts for the ledger. `undo` may run again after it was interrupted at any point. `probe` returns None when
    nothing of the fault is left, else a description of what is left. A `one_shot` fault leaves nothing to undo: it is over once it is
    applied.
    """

    verb: str
    summary: str
    apply: Callable[[Stack, Ledger, Fault], Facts]
    undo: Callable[[Stack, Ledger, Fault], Facts]
    probe: Callable[[Stack, Ledger, Fault], str | None]
    prove: Callable[[Stack, Ledger, Fault], Proof]
    one_shot: bool = False


def nothing_to_undo(stack: Stack, ledger: Ledger, fault: Fault) -> Facts:
    return {}


def nothing_left(stack: Stack, ledger: Ledger, fault: Fault) -> str | None:
    return None
