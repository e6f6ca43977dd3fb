"""Rows as a table on the screen."""

from typing import Any

from labkit.terminal import say, screen

WIDEST, NARROWEST = 60, 10  # characters per value


def plain(value: Any) -> Any:
    """Return a value as JSON and CSV show it: bytes, amounts and times as text."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, int | float | str | bool | list | dict) else str(value)


def show(names: list[str], rows: list[tuple[Any, ...]]) -> None:
    """Print a table. If it is too wide, cut its longest values; if it has too many columns for that, print each row as a list."""
    cells = [["·" if value is None else _short(str(plain(value))) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [names, *cells]) for i in range(len(names))]
    room = screen.width() - 2 * (len(names) - 1)
    longest = next((n for n in range(WIDEST, NARROWEST - 1, -1) if sum(min(width, n) for width in widths) <= room), None)
    if longest is None:
        _lists(names, cells)
    else:
        right = [all(_is_number(row[i]) for row in rows) for i in range(len(names))]
        widths = [min(width, longest) for width in widths]
        for line in [names, *cells]:
            texts = [_cell(*cell) for cell in zip(line, widths, right, strict=True)]
            say.raw("  ".join(texts).rstrip())
            if line is names:
                say.raw("  ".join("─" * width for width in widths))
    say.line(f"{len(rows):,} {'row' if len(rows) == 1 else 'rows'}")


def _lists(names: list[str], cells: list[list[str]]) -> None:
    width = max(map(len, names))
    for row in cells:
        for name, value in zip(names, row, strict=True):
            say.raw(f"{name:{width}}  {_cut(value, screen.width() - width - 2)}".rstrip())
        say.raw("")


def _cell(text: str, width: int, to_right: bool) -> str:
    return f"{_cut(text, width):>{width}}" if to_right else f"{_cut(text, width):{width}}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _is_number(value: Any) -> bool:
    from decimal import Decimal

    return value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool))


def _short(text: str) -> str:
    return _cut(say.one_line(text.replace("\n", "⏎")), WIDEST)
