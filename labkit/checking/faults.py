"""The faults that a lab can inject: `await trial.faults.apply(faults.gate("customers", key="17"))`."""

from labkit.checking.rolled_back import HeldRow, before_commit, held_row, roll_back
from labkit.faults.engine import FaultSpec, Wanted
from labkit.faults.ledger import Fault
from labkit.faults.specify import (
    barrier,
    copies,
    crash,
    delay,
    duplicate,
    gate,
    lock,
    outage,
    poison,
    reorder,
    said_again,
    switch,
    tick,
    trim,
)

__all__ = [
    "Fault",
    "FaultSpec",
    "HeldRow",
    "Wanted",
    "barrier",
    "before_commit",
    "copies",
    "crash",
    "delay",
    "duplicate",
    "gate",
    "held_row",
    "lock",
    "outage",
    "poison",
    "reorder",
    "roll_back",
    "said_again",
    "switch",
    "tick",
    "trim",
]
