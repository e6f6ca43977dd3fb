"""A story as text, as JSON, as a sequence diagram in the terminal, and as Mermaid."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from labkit.terminal import screen
from labkit.terminal.say import one_line
from labkit.trace.model import Hop, HopMark, Story

KEYS = 8  # columns of a hop's name
LANE_WIDTH, LEAST_LABEL = 15, 28  # widest lane, and narrowest label, in a diagram
ROW_SOURCES = frozenset({"row", "state", "effect", "outbox"})


def as_text(story: Story, columns: int, now: datetime | None = None) -> str:
    """Return what `labkit trace` prints on a screen of `columns` columns."""
    lines = [one_line(_title(story, now)), "", *_hops(story.hops, columns)]
    if story.diagnosis:
        lines += ["", story.diagnosis.text, f"Next: {story.diagnosis.next_step}"]
    return screen.fitted("\n".join(lines), columns)


def _title(story: Story, now: datetime | None) -> str:
    parts = [story.title]
    if story.about:
        parts.append(story.about)
    if story.total is not None:
        parts.append(str(story.total))
    if story.state:
        since = next((hop.at for hop in story.hops if hop.at), None)
        waited = f" for {_span(now - since)}" if story.state == "PENDING" and now and since and now > since else ""
        parts.append(f"{story.state}{f' {story.reason}' if story.reason else ''}{waited}")
    return " · ".join(parts)


def _hops(hops: tuple[Hop, ...], columns: int) -> Iterator[str]:
    times: list[str] = []
    before: Hop | None = None
    for hop in hops:
        times.append(_when(hop, before))
        if hop.at:
            before = hop
    key = 2 + KEYS
    when = max(map(len, times), default=0)
    text = screen.room(max((len(hop.text) for hop in hops), default=0), (key, when), columns=columns)
    for hop, at in zip(hops, times, strict=True):
        cells = [(f"{hop.mark.value} {hop.key}", key), (one_line(hop.text), text), (at, when)]
        yield from screen.row(cells)


def _when(hop: Hop, before: Hop | None) -> str:
    """Return the time of the first hop, and the delay of each later one. ≈ marks a delay that is smaller than a clock's resolution."""
    if hop.at is None:
        return ""
    if before is None or before.at is None:
        return f"{hop.at:%H:%M:%S}" if hop.coarse else f"{hop.at:%H:%M:%S}.{hop.at.microsecond // 1000:03}"
    together = "same transaction" if hop.source and hop.key in ROW_SOURCES and _commit(hop) and _commit(hop) == _commit(before) else ""
    if hop.coarse or before.coarse:
        apart = abs((hop.at - before.at).total_seconds())
        difference = "≈ same second" if apart < 1 else f"≈ {'+' if hop.at > before.at else '-'}{apart:.0f} s"
    else:
        ms = round((hop.at - before.at).total_seconds() * 1000)
        # Two clocks with millisecond resolution: a smaller difference means nothing.
        difference = "≈ same time" if ms <= 0 else f"+{ms} ms" if ms < 10_000 else f"+{ms / 1000:.0f} s"
    return together or difference


def _commit(hop: Hop) -> str:
    return hop.source.rpartition(", ")[2] if ":" in hop.source else ""


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def as_data(story: Story) -> dict[str, Any]:
    return {
        "about": story.title,
        "customer_id": story.customer_id,
        "total": None if story.total is None else str(story.total),
        "state": story.state,
        "reason": story.reason,
        "hops": [
            {
                "hop": hop.key,
                "mark": hop.mark.name.lower(),
                "text": hop.text,
                "source": hop.source,
                "time": f"{hop.at.isoformat()}Z" if hop.at else None,
                "precision_s": 1 if hop.coarse else 0.001,
                "event": hop.event or None,
            }
            for hop in story.hops
        ],
        "first_missing": story.first_missing.key if story.first_missing else None,
        "cause": story.diagnosis.text if story.diagnosis else None,
        "next": story.diagnosis.next_step if story.diagnosis else None,
    }


@dataclass(frozen=True)
class Arrow:
    """One arrow, or a note if both ends are the same lane."""

    source: str
    target: str
    text: str
    is_missing: bool = False


def steps(story: Story) -> Iterator[Arrow]:
    """Yield the hops as a sequence of arrows, without those that are still waiting."""
    for hop in story.hops:
        missing = hop.mark is not HopMark.OK
        if hop.mark is HopMark.WAITING or (hop.key == "relay" and not missing):
            continue
        yield Arrow(hop.origin or hop.lane, hop.lane, hop.text if missing else _arrived(hop), missing)


def _arrived(hop: Hop) -> str:
    match hop.key:
        case "outbox":
            return f"{hop.event} in the outbox"
        case "broker":
            return f"{hop.event} → {hop.text}"
        case "consumer":
            return hop.event or "taken"
        case _:
            return hop.text


def _lanes(shown: Sequence[Arrow]) -> list[str]:
    """Return the lanes in the order of their first use."""
    return list(dict.fromkeys(lane for step in shown for lane in (step.source, step.target)))


def as_mermaid(story: Story) -> str:
    """Return a sequence diagram as text: https://mermaid.js.org/syntax/sequenceDiagram.html"""
    shown = list(steps(story))
    used = _lanes(shown)
    lines = ["sequenceDiagram", f"  title {story.title}"]
    lines += [f"  participant {_name(lane)} as {lane}" for lane in used]
    for step in shown:
        text = one_line(step.text).replace(";", ",").replace("#", "no. ")
        if step.source == step.target:
            lines.append(f"  Note over {_name(step.source)}: {'✗ ' if step.is_missing else ''}{text}")
        else:
            arrow = "--x" if step.is_missing else "->>"
            lines.append(f"  {_name(step.source)}{arrow}{_name(step.target)}: {'✗ ' if step.is_missing else ''}{text}")
    return "\n".join(lines)


def _name(lane: str) -> str:
    return lane.replace("-", "_")


def as_diagram(story: Story, columns: int) -> str:
    """Return a sequence diagram with one lane for each component, on a screen of `columns` columns."""
    shown = list(steps(story))
    used = _lanes(shown)
    width = min(LANE_WIDTH, (columns - 2) // max(1, len(used)))
    at = {lane: 2 + width * index + width // 2 for index, lane in enumerate(used)}
    lines = list(_names(used, width))
    for step in shown:
        lines += _label(step, at, columns)
        if step.source != step.target:
            lines.append(_arrow(step, at))
    lines.append(_bars(at))
    return "\n".join(line.rstrip() for line in lines)


def _names(lanes: list[str], width: int) -> Iterator[str]:
    names = [textwrap.wrap(lane, width - 1) for lane in lanes]
    high = max(map(len, names), default=0)
    for n in range(high):
        parts = [name[n - high + len(name)] if n >= high - len(name) else "" for name in names]
        yield "  " + "".join(f"{part:^{width}}" for part in parts)


def _bars(at: dict[str, int]) -> str:
    row = [" "] * (max(at.values(), default=0) + 1)
    for column in at.values():
        row[column] = "│"
    return "".join(row)


def _label(step: Arrow, at: dict[str, int], columns: int) -> Iterator[str]:
    """Yield the lines of a label: to the right of its lane, wrapped as needed, and further left where space is short."""
    begin = max(2, min(min(at[step.source], at[step.target]) + 2, columns - LEAST_LABEL))
    text = one_line(f"{'✗ ' if step.is_missing else ''}{step.text}")
    for part in textwrap.wrap(text, columns - begin, break_on_hyphens=False):
        row = list(_bars(at).ljust(begin + len(part)))
        row[begin : begin + len(part)] = part
        yield "".join(row)


def _arrow(step: Arrow, at: dict[str, int]) -> str:
    a, b = at[step.source], at[step.target]
    row = list(_bars(at))
    low, high = min(a, b), max(a, b)
    line = "┄" if step.is_missing else "─"
    for column in range(low + 1, high):
        row[column] = line
    row[b - 1 if b > a else b + 1] = "✗" if step.is_missing else "▶" if b > a else "◀"
    return "".join(row)
