"""What an invariant is made of.

A template's fields are the columns of the violation's row and the `fields` of its details, and beside them those of wording.common. A field
that begins with a capital has its text with a capital: {customer} `customer 4 "Ada"`, {Customer} `Customer 4 "Ada"`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.trace.tables import Tables

TRACE_ORDER = "labkit trace order {order_id}"
TRACE_CUSTOMER = "labkit trace customer {customer_id}"
TRACE_MESSAGE = "labkit trace message {message_id}"


@dataclass(frozen=True)
class Anomaly:
    """One way to violate an invariant: the witness as a sentence, the step that went wrong, and a command."""

    witness: str
    so: str
    next: str = TRACE_ORDER


@dataclass(frozen=True)
class Details:
    """What the evidence adds to a violation: names and amounts for the templates, facts with where each was read, and the step that went
    wrong where the evidence shows it (else the anomaly says it)."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    because: list[tuple[str, str]] = field(default_factory=list)
    so: str = ""


@dataclass(frozen=True)
class Invariant:
    """`needs`: sources without which nothing can be said. `wants`: sources without which a violation can be found, but not excluded.
    `rests_on`: kinds of violations that count only where a source that is not needed otherwise is complete: what looks like one may come of
    what is missing.
    `missing`: kinds by which something is only missing yet: what a machine that was disturbed may explain.
    `at_rest`: it holds only when nothing is under way. `over_time`: it is judged over all commits.
    `profiles`: those that it holds for; none: all.
    `details` is asked for the few violations that are shown.
    `id` and `folder` are those of the folder in which it is found.
    """

    name: str
    sentence: str
    needs: tuple[str, ...]
    anomalies: Mapping[str, Anomaly]
    details: "Callable[[Tables, dict[str, Any]], Details]"
    wants: tuple[str, ...] = ()
    rests_on: Mapping[str, frozenset[str]] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    at_rest: bool = False
    over_time: bool = False
    profiles: tuple[str, ...] = ()
    id: str = ""
    folder: Path = Path()

    @property
    def violations(self) -> str:
        """The query whose rows are the violations, each with its `kind` of anomaly and its `badness`."""
        return _text(self.folder / VIOLATIONS)

    @property
    def judged(self) -> str:
        """The query that counts what there was to judge."""
        return _text(self.folder / JUDGED)

    def holds_for(self, profile: str) -> bool:
        return not self.profiles or profile in self.profiles


RULE, VIOLATIONS, JUDGED = "rule.py", "violations.sql", "judged.sql"


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").rstrip().removesuffix(";")
