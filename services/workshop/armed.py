"""What is armed in this process. It belongs to the process, whichever of its parts asks: hence a module's state, and no parameter."""

from collections.abc import Mapping

from services.workshop.fault import Fault
from services.workshop.hits import Hits


class Armed:
    """What is armed in this process now. Looking something up costs a dictionary access."""

    def __init__(self) -> None:
        self.points: Mapping[str, list[Fault]] = {}
        self.holding: list[Fault] = []  # gates, watches and delays of subscribers
        self.routes: Mapping[str, Fault] = {}
        self.switches: Mapping[str, str] = {}
        self.one_by_one = False
        """Batching is off: a fault waits for a message, which must then come alone."""
        self.known_points: set[str] = set()
        self.known_routes: set[str] = set()
        self._ids: frozenset[str] = frozenset()
        self.hits = Hits()

    def has(self, fault: Fault) -> bool:
        """Is it still armed?"""
        return fault.id in self._ids

    def declare(self, *points: str) -> None:
        """Name failpoints of this process. Each acknowledgement lists them, so that none is armed that does not exist."""
        self.known_points.update(points)

    def take(self, faults: list[Fault]) -> None:
        """From now on these are armed, and nothing else. A crash or barrier that has happened is spent."""
        points: dict[str, list[Fault]] = {}
        for fault in faults:
            if fault.point is not None and not self.hits.is_spent(fault.id):
                points.setdefault(fault.point, []).append(fault)
        self.points = points
        self.holding = [f for f in faults if f.kind in ("gate", "watch") or (f.kind == "delay" and f.route is None)]
        self.routes = {f.route: f for f in faults if f.kind == "delay" and f.route is not None}
        self.switches = {f.name: f.value or "" for f in faults if f.kind == "switch" and f.name is not None}
        batch_is_one = self.switches.get("batch") == "1"
        self.one_by_one = batch_is_one or bool(points) or bool(self.holding)
        self._ids = frozenset(f.id for f in faults)

    def spend(self, fault: Fault) -> None:
        """It has happened, and does not happen again."""
        self.points = {point: left for point, faults in self.points.items() if (left := [f for f in faults if f.id != fault.id])}


armed = Armed()


def batch_size(usual: int) -> int:
    """How much may be taken together: one while a fault is armed that waits for it, or what the switch `batch` says."""
    if armed.one_by_one:
        return 1
    wanted = armed.switches.get("batch", "")
    return max(1, int(wanted)) if wanted.isdigit() else usual
