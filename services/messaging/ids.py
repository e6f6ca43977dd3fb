"""Message ids: 128 bits that sort by time, written as two groups of 16 hexadecimal digits.

high = milliseconds since 1970; low = 48 address bits followed by a 16-bit counter. Two generators with different address bits never make
the same id. The ids of one generator always increase, even when the clock steps back.
"""

import time
from collections.abc import Callable

COUNTERS = 1 << 16


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


def parse_id(text: str) -> tuple[int, int]:
    """Returns (high, low) of an id. Raises ValueError for a text that is not an id."""
    high, low = text.split("-")
    if len(high) != 16 or len(low) != 16:
        raise ValueError(f"not a message id: {text!r}")
    return int(high, 16), int(low, 16)


class IdGenerator:
    """Makes the message ids of one service instance. `address` is the instance's own 48 bits."""

    def __init__(self, address: int, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        if not 0 <= address < 1 << 48:
            raise ValueError(f"an address has 48 bits, {address} does not fit")
        self._low = address << 16
        self._clock_ms = clock_ms
        self._ms = 0
        self._counter = COUNTERS - 1

    def next(self) -> str:
        now = self._clock_ms()
        if now > self._ms:
            self._ms, self._counter = now, 0
        elif self._counter + 1 < COUNTERS:
            self._counter += 1
        else:  # counter exhausted, or the clock is stopped or steps back: run ahead rather than wait
            self._ms, self._counter = self._ms + 1, 0
        return f"{self._ms:016x}-{self._low + self._counter:016x}"

    def follow(self, message_id: str) -> None:
        """Make every later id greater than this one: effects sort after their causes, and a restart continues after the last id.

        An id in a foreign format carries no time and is ignored.
        """
        try:
            ms, _ = parse_id(message_id)
        except ValueError:
            return
        # An id from the far future would shift all later ids; a day is more than the error of any clock.
        if self._ms <= ms < self._clock_ms() + 86_400_000:
            self._ms, self._counter = ms, COUNTERS - 1
