"""The progress of work on images: one line per finished step, or a live display on a terminal."""

import threading
from types import TracebackType
from typing import Any

from labkit.images.parallel_work import ImageProgress
from labkit.terminal import say

SHOW_AFTER_S = 0.05  # steps that take less time get no line


class Lines(ImageProgress):
    """Plain text, or nothing with `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._lock = threading.Lock()
        self._states: dict[str, str] = {}

    def state(self, task: str, what: str, done: int = 0, total: int = 0) -> None:
        amount = f"  {say.megabytes(done)} of {say.megabytes(total)}" if total else f"  {say.megabytes(done)}" if done else ""
        self._states[task] = f"  {task:10}  {what}{amount}"

    def finished(self, task: str, what: str, seconds: float) -> None:
        self._states.pop(task, None)
        if not self._quiet and seconds >= SHOW_AFTER_S:
            self._show(f"  {task:10}  {what:42}  {seconds:5.1f} s")

    def note(self, text: str) -> None:
        """Print a separate line."""
        if not self._quiet:
            self._show(text)

    def _show(self, line: str) -> None:
        with self._lock:
            say.line(line)

    def tick(self) -> None:
        return

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return


class Live(Lines):
    """Finished steps as permanent lines, and the current steps below them."""

    def __enter__(self) -> "Live":
        from rich.console import Console
        from rich.live import Live as RichLive

        self._live: Any = RichLive(console=Console(highlight=False), auto_refresh=False, transient=True)
        self._live.start()
        return self

    def _show(self, line: str) -> None:
        with self._lock:
            self._live.console.print(say.plain(line), markup=False)

    def tick(self) -> None:
        from rich.text import Text

        with self._lock:
            self._live.update(Text(say.plain("\n".join(sorted(self._states.values()))), style="dim"), refresh=True)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()


def make(*, quiet: bool = False) -> Lines:
    """Return a live view on a terminal, else plain lines. With `quiet` (--json), show nothing."""
    return Live() if say.on_terminal() and not quiet else Lines(quiet=quiet)
