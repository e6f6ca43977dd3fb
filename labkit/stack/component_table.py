"""The table that `labkit up` shows while it works: plain text row by row, or live on a terminal."""

import time
from collections.abc import Collection
from typing import Any

from labkit.stack.model import Component, Stack
from labkit.stack.readiness import Ready
from labkit.terminal import say, screen

NAME = 13  # columns for a component's name, at least


def row(component: Component, state: str, seconds: float | None, name_width: int = NAME) -> str:
    """Format a row: `  mysql          ready  0.3 s  127.0.0.1:3306         MariaDB 10.11.19`.

    A narrow screen drops columns. The note about a changed port moves to the line below instead.
    """
    took = "" if seconds is None else f"{seconds:.1f} s"
    endpoint = "" if component.name == "relay" else str(component.endpoint)
    line = f"  {component.name:{name_width}}  {state:8}  {took:>6}  {endpoint:21}"
    left = screen.width() - len(line) - 2
    if component.port_note:
        beside = len(component.port_note) <= left
        return f"{line}  {component.port_note}" if beside else f"{line.rstrip()}\n{'':{4 + name_width}}{component.port_note}"
    version = next((v for v in (component.version, component.version.partition(",")[0]) if len(v) <= left), "")
    return f"{line}  {version}".rstrip()


class ComponentTable:
    """Plain text. Prints each row once, in table order, as soon as the rows above it are ready."""

    def __init__(self) -> None:
        self.times: dict[str, float] = {}
        self.stack: Stack | None = None
        self.started: Collection[str] = ()
        self.begun = 0.0
        self._printed = 0

    def preparing(self, what: str) -> None:
        say.line(f"Preparing {what}; this is done once.")

    def starting(self, stack: Stack, names: Collection[str]) -> None:
        self.stack, self.started, self.begun = stack, names, time.monotonic()

    def ready(self, ready: Ready) -> None:
        self.times[ready.component] = ready.seconds
        self.show()

    def tick(self) -> None:
        return

    def show(self) -> None:
        while self._printed < len(self.rows()) and (line := self.rows()[self._printed])[0]:
            say.line(line[1])
            self._printed += 1

    def rows(self) -> list[tuple[bool, str]]:
        """Return for each started component whether it is ready, and its row."""
        if self.stack is None:
            return []
        width = max(NAME, *map(len, self.stack.names))
        return [
            (c.name in self.times, row(c, "ready" if c.name in self.times else "starting", self.times.get(c.name), width))
            for c in self.stack.components
            if c.name in self.started
        ]

    def __enter__(self) -> "ComponentTable":
        return self

    def __exit__(self, *_: object) -> None:
        return


class SilentTable(ComponentTable):
    """Prints nothing; the caller reports the result."""

    def preparing(self, what: str) -> None:
        return

    def show(self) -> None:
        return


class LiveTable(ComponentTable):
    """Live on a terminal: shows all rows and redraws them as they change."""

    def __init__(self) -> None:
        super().__init__()
        self._live: Any = None

    def starting(self, stack: Stack, names: Collection[str]) -> None:
        super().starting(stack, names)
        if names:
            from rich.live import Live

            self._live = Live(self._text(), auto_refresh=False, transient=False)
            self._live.start()

    def tick(self) -> None:
        self.show()

    def show(self) -> None:
        if self._live:
            self._live.update(self._text(), refresh=True)

    def _text(self) -> Any:
        from rich.text import Text

        text, waited = Text(), time.monotonic() - self.begun
        for ready, line in self.rows():
            shown = say.plain(line if ready or waited < 1 else f"{line.rstrip()}  {waited:.0f} s")
            text.append(shown, style="" if ready else "dim")
            text.append("\n")
        return text

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.update(self._text(), refresh=True)
            self._live.stop()


class Quiet:
    """Shows on a terminal what is being waited for, and nothing elsewhere. The caller reports the result."""

    def __init__(self) -> None:
        self._waiting: list[str] = []

    def preparing(self, what: str) -> None:
        say.progress(f"Preparing {what} …")

    def starting(self, stack: Stack, names: Collection[str]) -> None:
        self._waiting = [name for name in stack.names if name in names]
        self.tick()

    def ready(self, ready: Ready) -> None:
        if ready.component in self._waiting:
            self._waiting.remove(ready.component)
        self.tick()

    def tick(self) -> None:
        if self._waiting:
            say.progress(f"Starting {', '.join(self._waiting)} …")

    def __enter__(self) -> "Quiet":
        return self

    def __exit__(self, *_: object) -> None:
        say.progress("")
