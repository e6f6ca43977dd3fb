"""What labkit prints, and where. Only this module prints, so that text from elsewhere cannot control the user's terminal."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from labkit.terminal import screen

# Characters that a terminal obeys or hides instead of showing: control characters except tab and line feed, direction marks and other
# invisible characters (not the joiners of Indic scripts and emoji), line separators, surrogates, tags.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)


def plain(text: str) -> str:
    """Return `text` with each invisible character written as \\u001b, which is also valid inside JSON."""
    return text if text.isascii() and text.isprintable() else _INVISIBLE.sub(_written, text)


def one_line(text: str) -> str:
    """Return plain text on one line. Otherwise a name with a line feed could look like a line of labkit's own."""
    return plain(text).replace("\n", "\\n").replace("\t", "\\t")


def _written(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\u{0xD800 + (code - 0x10000 >> 10):04x}\\u{0xDC00 + (code - 0x10000 & 0x3FF):04x}"


class NotWritten(Exception):
    """Standard output does not accept what labkit prints: its reader is gone, or its disk is full."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.why = error.strerror or str(error)
        self.reader_has_gone = isinstance(error, BrokenPipeError)


_said: list[bool] = []  # has anything been written to standard output?


def line(text: str = "") -> None:
    """Print text for people, wrapped to the screen's width, with coloured marks. Raises NotWritten."""
    shown = plain(text)
    if not _documents:
        shown = _wrapped(shown)
        shown = screen.coloured(shown) if screen.has_colours() else shown
    _write(shown)


def raw(text: str) -> None:
    """Print text that must stay unchanged: JSON, CSV, code, logs. Raises NotWritten."""
    _write(plain(text))


def styled(text: str) -> None:
    """Print text that labkit has already laid out and coloured for this screen, and that contains no foreign control characters. Raises
    NotWritten."""
    _write(text)


def _write(text: str) -> None:
    kept = _documents or _pages
    if kept:
        kept[-1].append(text)
        return
    _said[:] = [True]
    try:
        print(text, flush=True)
    except OSError as error:
        raise NotWritten(error) from None


def _wrapped(text: str) -> str:
    return screen.fitted(text, screen.width()) if screen.is_known() else text


_pages: list[list[str]] = []  # the text collected for a pager, if there is one
_documents: list[list[str]] = []  # the text collected for a JSON document


@contextmanager
def document(wanted: bool) -> Iterator[None]:
    """With --json, print the output of a command without a JSON form of its own as `{"said": [lines], "next": a command or null}`. The
    user is not asked anything."""
    if not wanted:
        yield
        return
    import json

    _documents.append([])
    try:
        yield
    finally:
        lines = "\n".join(_documents.pop()).splitlines()
    following = next((said.removeprefix("Next: ") for said in reversed(lines) if said.startswith("Next: ")), None)
    raw(json.dumps({"said": [said for said in lines if said.strip()], "next": following}, indent=2, ensure_ascii=False))


@contextmanager
def silence() -> Iterator[None]:
    """Discard the output; the caller reports it in another way."""
    _documents.append([])
    try:
        yield
    finally:
        _documents.pop()


@contextmanager
def paged() -> Iterator[None]:
    """Show output that does not fit on the user's screen in a pager: PAGER, else less. `PAGER=cat` disables it."""
    command = _pager() if can_ask() and not _pages else []
    if not command:
        yield
        return
    _pages.append([])
    try:
        yield
    finally:
        text = "\n".join(_pages.pop())
        if text:
            _show(text, command)


def _pager() -> list[str]:
    import shlex
    import shutil

    command = shlex.split(os.environ.get("PAGER", "less"))
    return command if command and command != ["cat"] and shutil.which(command[0]) else []


def _show(text: str, command: list[str]) -> None:
    import subprocess

    if text.count("\n") + 1 < screen.height():
        _write(text)
        return
    with suppress(KeyboardInterrupt):
        pager = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, errors="replace", env={"LESS": "FRX", **os.environ})
        pager.communicate(f"{text}\n")


def begin() -> None:
    """Note that a command begins and has printed nothing."""
    _said.clear()


def said_something() -> bool:
    """Return whether anything has been printed to standard output. If so, printing a JSON document would make the output invalid."""
    return bool(_said)


def problem(text: str) -> None:
    """Print to standard error, which stays visible when the output is redirected. Write errors are ignored."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with suppress(OSError, ValueError):
        print(_wrapped(plain(text)), file=sys.stderr, flush=True)


def progress(text: str) -> None:
    """Show the current activity in place of the previous one; an empty text removes it. Does nothing without a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{one_line(text)[: screen.width() - 1]}")  # a full line would wrap, and its first part would stay
        sys.stderr.flush()


def on_terminal() -> bool:
    return sys.stdout.isatty() and not _documents


def can_ask() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and not _documents


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask on the terminal. Anything but y means no, and is confirmed on the screen. Without a terminal, return True: a script's author
    meant it."""
    if yes or not can_ask() or _agreed(question):
        return True
    line("Nothing was changed.")
    return False


def _agreed(question: str) -> bool:
    try:
        return input(_wrapped(f"{plain(question)} [y/N] ")).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def megabytes(count: float) -> str:
    return f"{count / 1e6:.0f} MB"
