"""What a fault primitive is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labkit.faults.ledger import Fault, Ledger
from labkit.stack.model import Stack

Facts = dict[str, Any]


@dataclass(frozen=True)
class Proof:
    """That a fault fired, told twice: by the service that met it, and by something beside that service. None: not seen."""

    service: str | None = None
    outside: str | None = None

    @property
    def fired(self) -> bool:
        return self.service is not None and self.outside is not None


@dataclass(frozen=True)
class Primitive:
    """How a kind of fault is applied, undone, looked for and proven.

    `apply` and `undo` return facts for the ledger; `undo` may run again, after it was cut off anywhere. `probe` returns None when nothing
    of the fault is left, else what is. A `one_shot` leaves nothing that could be undone: it is over once applied.
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
