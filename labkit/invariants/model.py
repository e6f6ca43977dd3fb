"""The parts of an invariant.

A template can use the columns of the violation's row, the `fields` of its details, and the names of wording.common. A field name with a
capital inserts the text with a capital: {customer} gives `customer 4 "Ada"`, {Customer} gives `Customer 4 "Ada"`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.trace.tables import EvidenceTables

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
    """What the evidence adds to a violation.

    `fields`: names and amounts for the templates. `because`: facts, each with its source. `so`: the step that went wrong, if the evidence
    shows it; otherwise the anomaly's sentence is used.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    because: list[tuple[str, str]] = field(default_factory=list)
    so: str = ""


@dataclass(frozen=True)
class Invariant:
    """A condition that must hold between the stores.

    `needs`: sources without which nothing can be said.
    `wants`: sources without which violations can be found but not ruled out.
    `rests_on`: by source, the kinds of violations that count only if the source is complete: a gap in it can look like a violation.
    `missing`: the kinds of violations that mean something is not there yet. A disturbance of the machine may explain them.
    `at_rest`: the invariant holds only when nothing is in progress.
    `over_time`: the invariant is judged over all commits.
    `profiles`: the profiles that it applies to; empty: all.
    `details`: called for the few violations that are shown.
    `id`, `folder`: set from the folder that contains the invariant.
    """

    name: str
    sentence: str
    needs: tuple[str, ...]
    anomalies: Mapping[str, Anomaly]
    details: "Callable[[EvidenceTables, dict[str, Any]], Details]"
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
        """The query whose rows are the violations, each with a `kind` of anomaly and a `badness`."""
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
