"""The screen that labkit writes for: how wide and how high it is, whether it has colours, and how text is laid out for it.

Every screen is made for 80 columns; 60 must still read well. Where nobody looks (a pipe, a file) lines are as wide as WIDE.
"""

import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence

NARROWEST, READABLE, WIDE, HEIGHT = 60, 100, 110, 24  # READABLE is as wide as a paragraph gets
_HANGING = re.compile(r"\s*(?:[✓✗?·»…] )?(?:Next: |Note: |[^\s:]\S*(?: \S+){0,2}:? {2,})?")
_MARK = re.compile(r"^(\s*)([✓✗?]) ", re.MULTILINE)
_COLOURS = {"✓": "32", "✗": "31", "?": "33"}


def width() -> int:
    """Columns: those that COLUMNS names, else those of the terminal that shows standard output or errors, else WIDE; 60 at least."""
    return max(NARROWEST, _of_terminal("COLUMNS", 0) or WIDE)


def height() -> int:
    """Lines of the terminal, 24 where there is none."""
    return _of_terminal("LINES", 1) or HEIGHT


def is_known() -> bool:
    """Does anybody say how wide the screen is? Where nobody does, sentences stay on one line, for other programs to read."""
    return _of_terminal("COLUMNS", 0) > 0


def _of_terminal(variable: str, which: int) -> int:
    told = os.environ.get(variable, "")
    if told.isdecimal() and told.isascii() and int(told[:6]) > 0:
        return int(told[:6])
    for stream in (sys.stdout, sys.stderr):
        try:
            return os.get_terminal_size(stream.fileno())[which]
        except (OSError, ValueError, AttributeError):
            continue
    return 0


def has_colours() -> bool:
    """On a terminal, unless NO_COLOR (https://no-color.org) or a dumb terminal says otherwise."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured(text: str) -> str:
    """The text with its marks in colour. They mean the same without it."""
    return _MARK.sub(lambda mark: f"{mark[1]}\x1b[{_COLOURS[mark[2]]}m{mark[2]}\x1b[0m ", text)


def fitted(text: str, columns: int) -> str:
    """Lines that are too long go on under their own text: after a mark, a label or "Next:". No word is broken."""
    if all(len(line) <= columns for line in text.split("\n")):
        return text
    return "\n".join(part for line in text.split("\n") for part in wrapped(line, columns))


def wrapped(line: str, columns: int, hanging: int | None = None) -> list[str]:
    """One line as several, the further ones indented by `hanging` columns (default: to where the line's own text begins)."""
    if len(line) <= columns:
        return [line]
    if hanging is None:
        found = _HANGING.match(line)
        hanging = found.end() if found and found.end() <= columns // 2 else len(line) - len(line.lstrip())
    return textwrap.wrap(line, columns, subsequent_indent=" " * hanging, break_long_words=False, break_on_hyphens=False)


def paragraph(text: str, label: str = "") -> str:
    """A text of several lines as one paragraph for this screen, its label before it."""
    return "\n".join(wrapped(f"{label}{' '.join(text.split())}", min(width(), READABLE), len(label)))


def row(cells: Iterable[tuple[str, int]], indent: int = 2) -> Iterator[str]:
    """A row of a table: each cell as (text, width in columns); what is wider goes on in the next line of its own column."""
    known = list(cells)
    texts = [_cell(text, columns) for text, columns in known]
    for n in range(max(map(len, texts))):
        line = "  ".join(f"{lines[n] if n < len(lines) else '':{columns}}" for lines, (_, columns) in zip(texts, known, strict=True))
        yield f"{'':{indent}}{line}".rstrip()


def _cell(text: str, columns: int) -> list[str]:
    if len(text) <= columns:
        return [text]
    return textwrap.wrap(text, columns, break_long_words=False, break_on_hyphens=False) or [""]


def room(longest: int, others: Sequence[int], *, columns: int = 0, indent: int = 2) -> int:
    """The width of a table's one wide column: as much as its longest text takes, while the other columns leave it (12 at least)."""
    return max(12, min(longest, (columns or width()) - indent - sum(others) - 2 * len(others)))
