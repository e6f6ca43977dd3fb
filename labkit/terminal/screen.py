"""The screen: its width and height, whether it has colours, and how text is laid out for it.

Every screen is designed for 80 columns and must still read well at 60. Without a terminal (a pipe, a file), lines are as wide as WIDE.
"""

import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence

NARROWEST, READABLE, WIDE, HEIGHT = 60, 100, 110, 24  # READABLE is the maximum width of a paragraph
_HANGING = re.compile(r"\s*(?:[✓✗?·»…] )?(?:Next: |Note: |[^\s:]\S*(?: \S+){0,2}:? {2,})?")
_MARK = re.compile(r"^(\s*)([✓✗?]) ", re.MULTILINE)
_COLOURS = {"✓": "32", "✗": "31", "?": "33"}


def width() -> int:
    """Return the number of columns: COLUMNS, or else the width of the terminal of standard output or error, or else WIDE. At least 60."""
    return max(NARROWEST, _of_terminal("COLUMNS", 0) or WIDE)


def height() -> int:
    """Return the number of lines of the terminal, 24 without one."""
    return _of_terminal("LINES", 1) or HEIGHT


def is_known() -> bool:
    """Return whether the screen's width is known. If it is not, sentences stay on one line, for other programs to read."""
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
    """Return whether to use colours: on a terminal, unless NO_COLOR (https://no-color.org) is set or the terminal is dumb."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured(text: str) -> str:
    """Return the text with coloured marks. The marks mean the same without colour."""
    return _MARK.sub(lambda mark: f"{mark[1]}\x1b[{_COLOURS[mark[2]]}m{mark[2]}\x1b[0m ", text)


def fitted(text: str, columns: int) -> str:
    """Wrap long lines. A continuation aligns with the line's own text, after a mark, a label or "Next:". Words are never broken."""
    if all(len(line) <= columns for line in text.split("\n")):
        return text
    return "\n".join(part for line in text.split("\n") for part in wrapped(line, columns))


def wrapped(line: str, columns: int, hanging: int | None = None) -> list[str]:
    """Return a line wrapped to several. Continuations are indented by `hanging` columns (default: to where the line's own text begins)."""
    if len(line) <= columns:
        return [line]
    if hanging is None:
        found = _HANGING.match(line)
        hanging = found.end() if found and found.end() <= columns // 2 else len(line) - len(line.lstrip())
    return textwrap.wrap(line, columns, subsequent_indent=" " * hanging, break_long_words=False, break_on_hyphens=False)


def paragraph(text: str, label: str = "") -> str:
    """Return a text of several lines as one paragraph for this screen, after its label."""
    return "\n".join(wrapped(f"{label}{' '.join(text.split())}", min(width(), READABLE), len(label)))


def row(cells: Iterable[tuple[str, int]], indent: int = 2) -> Iterator[str]:
    """Yield the lines of a table row. Each cell is (text, width in columns); longer text continues below, in its own column."""
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
    """Return the width of a table's one wide column: enough for its longest text, as far as the other columns allow; at least 12."""
    return max(12, min(longest, (columns or width()) - indent - sum(others) - 2 * len(others)))
