"""What labkit prints, and where. Nothing else in labkit prints: what others wrote must not command the terminal that shows it."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from labkit.terminal import screen

# What a terminal obeys or hides instead of showing it: control characters but for tab and line feed, marks of direction and other
# invisible ones (not the joiners of Indic scripts and of emoji), line separators, halves of surrogates, tags.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)


def plain(text: str) -> str:
    """`text` with all that is no visible character as \\u001b: in JSON, too, that is right where it stands."""
    return text if text.isascii() and text.isprintable() else _INVISIBLE.sub(_written, text)


def one_line(text: str) -> str:
    """The same for what has to stay in its line: a name with a line feed in it must not look like a line of labkit's."""
    return plain(text).replace("\n", "\\n").replace("\t", "\\t")


def _written(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\u{0xD800 + (code - 0x10000 >> 10):04x}\\u{0xDC00 + (code - 0x10000 & 0x3FF):04x}"


class NotWritten(Exception):
    """Standard output does not take what labkit says: its reader has gone, or its disk is full."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.why = error.strerror or str(error)
        self.reader_has_gone = isinstance(error, BrokenPipeError)


_said: list[bool] = []  # is anything on standard output yet?


def line(text: str = "") -> None:
    """Words for people, wrapped to the width of the screen, their marks in colour. Raises NotWritten."""
    shown = plain(text)
    if not _documents:
        shown = _wrapped(shown)
        shown = screen.coloured(shown) if screen.has_colours() else shown
    _write(shown)


def raw(text: str) -> None:
    """What must stay as it is: JSON, CSV, code, logs. Raises NotWritten."""
    _write(plain(text))


def styled(text: str) -> None:
    """What labkit itself has laid out and coloured for this screen, out of text that is plain. Raises NotWritten."""
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


_pages: list[list[str]] = []  # what is kept for a pager, while there is one
_documents: list[list[str]] = []  # what is kept for a document


@contextmanager
def document(wanted: bool) -> Iterator[None]:
    """With --json, what a command says that has no form of its own: `{"said": [lines], "next": a command or null}`. Nobody is asked."""
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
    """For what is told otherwise afterwards."""
    _documents.append([])
    try:
        yield
    finally:
        _documents.pop()


@contextmanager
def paged() -> Iterator[None]:
    """What does not fit on a person's screen is shown by a pager: PAGER, else less. `PAGER=cat` goes without."""
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
    """A command begins: nothing is said yet."""
    _said.clear()


def said_something() -> bool:
    """Is something on standard output already? What is one JSON document there must not become two."""
    return bool(_said)


def problem(text: str) -> None:
    """To standard error, so that it is seen when the output goes elsewhere. When nobody can be told, nobody is."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with suppress(OSError, ValueError):
        print(_wrapped(plain(text)), file=sys.stderr, flush=True)


def progress(text: str) -> None:
    """What is being done, in place of what was said so before; empty takes it away. Only where a person looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{one_line(text)[: screen.width() - 1]}")  # a full line would end in the next one, and stay
        sys.stderr.flush()


def on_terminal() -> bool:
    return sys.stdout.isatty() and not _documents


def can_ask() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and not _documents


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask on the terminal; anything but y is no, and said so. Without a terminal nobody is asked: whoever wrote the script meant it."""
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
