"""The one import for the author of a lab:

    from labkit.checking import Failed, Trial, check, faults, rules
    from labkit.checking.invariants import I2, I7

Each name is loaded on first use.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.checking import faults, invariants, rows, rules
    from labkit.checking.broker import Ends
    from labkit.checking.checks import Failed, NotJudged, check
    from labkit.checking.components import not_ready, takes_no_messages
    from labkit.checking.contract import answer_of, shown
    from labkit.checking.documents import CENT, differences
    from labkit.checking.evidence import Evidence
    from labkit.checking.faults import Fault, FaultSpec, Wanted
    from labkit.checking.histories.check import short_history
    from labkit.checking.lab_modules import beside
    from labkit.checking.records import Published
    from labkit.checking.rules import APPROVED, CANCELLED, INSUFFICIENT_CREDIT, PENDING, UNKNOWN_CUSTOMER, OrderOutcome
    from labkit.checking.shared_scene import SharedScene
    from labkit.checking.shop import Customer, Order
    from labkit.checking.trial import Trial
    from labkit.checking.waiting import until
    from labkit.explanation import Explanation, Fact
    from labkit.user_files import Wrong, yaml_of

_MODULES = ("faults", "invariants", "rows", "rules")
_HOMES = {
    "labkit.checking.broker": ("Ends",),
    "labkit.checking.checks": ("Failed", "NotJudged", "check"),
    "labkit.checking.components": ("not_ready", "takes_no_messages"),
    "labkit.checking.contract": ("answer_of", "shown"),
    "labkit.checking.documents": ("CENT", "differences"),
    "labkit.checking.evidence": ("Evidence",),
    "labkit.checking.faults": ("Fault", "FaultSpec", "Wanted"),
    "labkit.checking.histories.check": ("short_history",),
    "labkit.checking.rules": ("APPROVED", "CANCELLED", "INSUFFICIENT_CREDIT", "PENDING", "UNKNOWN_CUSTOMER", "OrderOutcome"),
    "labkit.checking.shared_scene": ("SharedScene",),
    "labkit.checking.shop": ("Customer", "Order"),
    "labkit.checking.trial": ("Trial",),
    "labkit.checking.waiting": ("until",),
    "labkit.explanation": ("Explanation", "Fact"),
    "labkit.user_files": ("Wrong", "yaml_of"),
    "labkit.checking.lab_modules": ("beside",),
    "labkit.checking.records": ("Published",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "APPROVED",
    "CANCELLED",
    "CENT",
    "INSUFFICIENT_CREDIT",
    "PENDING",
    "UNKNOWN_CUSTOMER",
    "Customer",
    "Ends",
    "Evidence",
    "Explanation",
    "Fact",
    "Failed",
    "Fault",
    "FaultSpec",
    "NotJudged",
    "Order",
    "OrderOutcome",
    "Published",
    "SharedScene",
    "Trial",
    "Wanted",
    "Wrong",
    "answer_of",
    "beside",
    "check",
    "differences",
    "faults",
    "invariants",
    "not_ready",
    "rows",
    "rules",
    "short_history",
    "shown",
    "takes_no_messages",
    "until",
    "yaml_of",
]


if not TYPE_CHECKING:  # otherwise type checkers would accept every name

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
        if name in _HOME:
            return getattr(import_module(_HOME[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
