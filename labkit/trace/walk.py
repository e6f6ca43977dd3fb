"""Collects the hops of a story in order, and the diagnosis of the first missing hop."""

from typing import Any

from labkit.trace import components
from labkit.trace.model import Diagnosis, Hop, HopMark
from labkit.trace.tables import EvidenceTables


class Walk:
    """After the first missing hop, later hops are shown as waiting."""

    def __init__(self, tables: EvidenceTables) -> None:
        self.tables = tables
        self.system = tables.system
        self.hops: list[Hop] = []
        self.diagnosis: Diagnosis | None = None
        self.stopped = False

    def ok(self, key: str, text: str, source: str = "", **more: Any) -> None:
        self.hops.append(Hop(key, HopMark.OK, text, source, **more))

    def stop(self, key: str, text: str, source: str, diagnosis: Diagnosis, **more: Any) -> None:
        self.hops.append(Hop(key, HopMark.MISSING, text, source, **more))
        self.stopped, self.diagnosis = True, self.diagnosis or diagnosis

    def wrong(self, key: str, text: str, source: str, diagnosis: Diagnosis, **more: Any) -> None:
        """Add a hop that is wrong but does not stop the story: later hops may still happen."""
        self.hops.append(Hop(key, HopMark.MISSING, text, source, **more))
        self.diagnosis = self.diagnosis or diagnosis

    def unread(self, key: str, source: str, reason: str, **more: Any) -> None:
        """Add a hop that could not be read. `source` is what failed: the tables, the records or the view."""
        self.hops.append(Hop(key, HopMark.UNREAD, f"could not be read: {reason}", self.system.title(source), **more))
        self.stopped, self.diagnosis = True, self.diagnosis or components.unreadable(self.tables, source, reason)

    def wait(self, key: str, text: str = "waiting", **more: Any) -> None:
        self.hops.append(Hop(key, HopMark.WAITING, text, **more))
