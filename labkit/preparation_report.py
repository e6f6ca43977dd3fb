"""The interface for reporting one-time preparations: a table on the screen, or nothing."""

from typing import Protocol


class Preparing(Protocol):
    """Receives a message about each one-time preparation before a stack can start."""

    def preparing(self, what: str) -> None: ...
