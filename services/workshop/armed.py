"""The faults armed in this process. This is module state, not a parameter, because it belongs to the process as a unit."""

from collections.abc import Mapping

from services.workshop.fault import Fault
from services.workshop.hits import Hits


class Armed:
    """The faults armed in this process. A lookup costs one dictionary access."""

    def __init__(self) -> None:
        self.points: Mapping[str, list[Fault]] = {}
        self.holding: list[Fault] = []  # gates, watches and delays of subscribers
        self.routes: Mapping[str, Fault] = {}
        self.switches: Mapping[str, str] = {}
        self.one_by_one = False
        """Whether batching is off: a fault waits for a message, which must then be processed alone."""
        self.known_points: set[str] = set()
        self.known_routes: set[str] = set()
        self._ids: frozenset[str] = frozenset()
        self.hits = Hits()

    def has(self, fault: Fault) -> bool:
        """Whether the fault is still armed."""
        return fault.id in self._ids

    def declare(self, *points: str) -> None:
        """Declare failpoints of this process. Each acknowledgement lists them, so that only existing ones can be armed."""
        self.known_points.update(points)

    def take(self, faults: list[Fault]) -> None:
        """Arm exactly these faults. A crash or barrier that has already happened stays spent."""
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
        """Mark a fault as done, so that it does not happen again."""
        self.points = {point: left for point, faults in self.points.items() if (left := [f for f in faults if f.id != fault.id])}


armed = Armed()


def batch_size(usual: int) -> int:
    """The batch size: 1 while a fault waits for a message, the value of the switch `batch`, or `usual`."""
    if armed.one_by_one:
        return 1
    wanted = armed.switches.get("batch", "")
    return max(1, int(wanted)) if wanted.isdigit() else usual
