"""The acknowledger: decides when to report processed records to the broker."""

import time
from collections.abc import Mapping, Sequence

from services.messaging.brokers import Place, Position, Receiver, Record

ACKNOWLEDGE_EVERY_S = 0.2


class Acknowledger:
    """Acknowledges at intervals while there is work, and immediately when there is none."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._positions: dict[Place, Position] = {}
        self._last = 0.0

    @property
    def is_behind(self) -> bool:
        return bool(self._positions)

    def note(self, records: Sequence[Record]) -> None:
        for record in records:
            self._positions[record.place] = record.next

    def acknowledge(self, waiting: Mapping[Place, Position], *, at_once: bool) -> None:
        """Acknowledge the noted positions, but nothing at or after the `waiting` positions."""
        if self._positions and (at_once or time.monotonic() - self._last >= ACKNOWLEDGE_EVERY_S):
            self._last = time.monotonic()
            done = {place: min(position, waiting.get(place, position)) for place, position in self._positions.items()}
            self._receiver.acknowledge(done)
            self._positions = {place: position for place, position in self._positions.items() if position > done[place]}
