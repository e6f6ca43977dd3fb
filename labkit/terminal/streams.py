"""Standard streams that accept every text: no character makes a command fail, whatever the terminal can show."""

import codecs
import os
import sys
from typing import Any

# Readable replacements. None is a quotation mark or a backslash, because the text may be JSON.
_PLAIN = str.maketrans(
    {
        "✓": "+", "✗": "x", "·": ".", "…": "...", "→": "->", "←": "<-", "▶": ">", "◀": "<", "×": "x", "≥": ">=", "≤": "<=", "≠": "!=",
        "–": "-", "—": "-", "−": "-", "“": "'", "”": "'", "„": "'", "‘": "'", "’": "'", "«": "<", "»": ">", "•": "*", "µ": "u",
        "─": "-", "━": "-", "│": "|", "┃": "|", "╎": "|", "┆": "|", "┊": "|", "┌": "+", "┐": "+", "└": "+", "┘": "+", "├": "+", "┤": "+",
        "┬": "+", "┴": "+", "┼": "+", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "═": "=", "║": "|", "█": "#", "░": ".", "\u00a0": " ",
    }
)  # fmt: skip


def prepare() -> None:
    """Prepare the streams before any output: a closed stream discards what is written, and the others replace what they cannot show."""
    codecs.register_error("labkit", _replaced)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # closed by the calling process
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
        elif mode == "w" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="labkit")


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """Replace labkit's own symbols with plain ones, and any other character with \\u1f4a9, in UTF-16 as JSON does."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_written, error.object[error.start : error.end])), error.end


def _written(character: str) -> str:
    plain = character.translate(_PLAIN)
    if plain != character:
        return plain
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def give_up(stream: Any) -> None:
    """Redirect a stream that cannot be written to the null device, so that its buffered text does not fail again at exit."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError, AttributeError):
        pass
