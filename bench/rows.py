"""The table of `make bench`: figures and their goals."""

import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    what: str
    figure: str
    goal: str = ""
    met: bool | None = None


def at_most(what: str, value: float, unit: str, goal: float | None = None, digits: int = 1) -> Row:
    return _row(what, value, unit, goal, digits, "≤", lambda limit: value <= limit)


def at_least(what: str, value: float, unit: str, goal: float | None = None) -> Row:
    return _row(what, value, unit, goal, 0, "≥", lambda limit: value >= limit)


def _row(what: str, value: float, unit: str, goal: float | None, digits: int, sign: str, met: Callable[[float], bool]) -> Row:
    figure = f"{value:,.{digits}f} {unit}"
    return Row(what, figure) if goal is None else Row(what, figure, f"{sign} {goal:,g} {unit}", met(goal))


def say(what: str) -> None:
    print(f"… {what}", file=sys.stderr, flush=True)


def table(rows: list[Row]) -> str:
    width = max(len(row.what) for row in rows)
    lines = []
    for row in rows:
        if not row.what:
            lines.append(f"  {row.figure}")
            continue
        mark = {None: " ", True: "✓", False: "✗"}[row.met]
        lines.append(f"{mark} {row.what:{width}}  {row.figure:>15}  {row.goal}".rstrip())
    return "\n".join(lines)
