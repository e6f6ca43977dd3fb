"""Who listens while something is made ready once: a table on the screen, or nobody."""

from typing import Protocol


class Preparing(Protocol):
    """Hears what is done once before a stack can start."""

    def preparing(self, what: str) -> None: ...
