"""The judgement as one self-contained HTML page: the output of `labkit verify`, and the run's timeline with the witnesses marked.

All its content comes from the evidence; the page fetches nothing.
"""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import paths
from labkit.pass_fail_unknown import Verdict
from labkit.terminal import colours, say, screen
from labkit.trace import system
from labkit.trace.delivery import RELAY
from labkit.trace.system import System
from labkit.verdict.judge import Judgement
from labkit.verdict.text import as_text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CLIENT, VIEW, ENTRANCE = "client", "view", "gateway"
EVENTS = 4000  # at most; if there are more, those around the witnesses
ROW, LEFT, WIDTH, TOP = 26, 150, 1160, 24
WORDS = {Verdict.PASS: "Pass", Verdict.FAIL: "Fail", Verdict.UNKNOWN: "Unknown"}
_TIMELINE = Path(__file__).with_name("timeline.sql")
CLIENT, VIEW = "client", "view"
LEGEND = {
    "client": "request",
    "write": "row changed",
    "event": "outbox row",
    "record": "record",
    "received": "received",
    "view": "end of the view",
}


@dataclass(frozen=True)
class Point:
    at: datetime
    lane: str
    kind: str
    text: str
    order_id: int | None
    customer_id: int | None


def write_page(path: Path, connection: "DuckDBPyConnection", judgement: Judgement) -> None:
    paths.write(path.absolute(), page(connection, judgement))


def page(connection: "DuckDBPyConnection", judgement: Judgement) -> str:
    orders = _witnessed(judgement)
    points, left_out = _points(connection, orders)
    described = system.read(connection)
    run = judgement.run
    about = ", ".join(f"{name} {run[name]}" for name in ("stack", "runtime", "mysql_kind", "mysql_version", "ended") if name in run)
    note = f"<p>{left_out} events are not drawn: the page shows only those around the witnesses.</p>" if left_out else ""
    return "\n".join(
        [
            "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>",
            f"<title>labkit verify: {WORDS[judgement.verdict]}</title><style>{colours.css()}{_STYLE}</style>",
            f"<h1 class='{judgement.verdict.value}'>{WORDS[judgement.verdict]}</h1><p class='about'>{_shown(about)}</p>",
            f"<pre>{_shown(as_text(judgement, screen.WIDE))}</pre>",
            "<h2>Timeline</h2>",
            "<p>Each lane has its own clock, and MariaDB's binlog has a resolution of one second: order is reliable within a "
            "lane, not between lanes. Point at a mark to read it; click it to show only its order.</p>",
            _legend(),
            note,
            f"<div class='scroll'>{_drawing(points, _lanes(described, points), _bands(connection, described), orders)}</div>",
            f"<script>{_SCRIPT}</script></html>",
        ]
    )


def _shown(text: str) -> str:
    return html.escape(say.plain(text))


def _witnessed(judgement: Judgement) -> set[int]:
    found = {order for finding in judgement.findings for order in finding.orders}
    for result in judgement.results:
        found |= {w.order_id for w in (result.first, result.worst, result.last) if w and w.order_id is not None}
    return found


def _points(connection: Any, orders: set[int]) -> tuple[list[Point], int]:
    timeline = _TIMELINE.read_text(encoding="utf-8").rstrip().removesuffix(";")
    (count,) = connection.execute(f"SELECT count(*) FROM ({timeline}) WHERE seen IS NOT NULL").fetchone()
    where = "seen IS NOT NULL"
    values: list[object] = []
    if count > EVENTS and orders:
        where += " AND (order_id IN (SELECT unnest(?)) OR customer_id IN (SELECT customer_id FROM orders WHERE id IN (SELECT unnest(?))))"
        values = [sorted(orders), sorted(orders)]
    rows = connection.execute(
        f"SELECT * FROM ({timeline}) WHERE {where} ORDER BY seen, lane, text, order_id LIMIT {EVENTS}", values
    ).fetchall()
    return [Point(*row) for row in rows], count - len(rows)


def _bands(connection: Any, described: System) -> list[tuple[str, datetime, datetime | None, str]]:
    """Return (lane, or "" for all, from, until, text) for each fault and each time that a component did not run."""
    bands: list[tuple[str, datetime, datetime | None, str]] = [
        (_lane(described, target), armed, healed, f"fault {fault_id}: {primitive} {target}")
        for fault_id, primitive, target, armed, healed in connection.execute(
            "SELECT id, primitive, target, armed, healed FROM faults WHERE armed IS NOT NULL ORDER BY id"
        ).fetchall()
    ]
    down: dict[str, datetime] = {}
    for component, event, happened in connection.execute(
        "SELECT component, event, happened FROM environment WHERE happened IS NOT NULL ORDER BY happened, event"
    ).fetchall():
        if event in ("end", "pause", "oom"):
            down.setdefault(component, happened)
        elif component in down:
            bands.append((_lane(described, component), down.pop(component), happened, f"{component} was not running"))
    bands += [(_lane(described, component), since, None, f"{component} was not running") for component, since in down.items()]
    return bands


def _lane(described: System, component: str | None) -> str:
    """Return the lane of a component; empty if it has none."""
    name = (component or "").partition(" ")[0]
    if name == ENTRANCE:
        return CLIENT
    if (keeper := described.view_keeper) and name == keeper.component:
        return VIEW
    return name if name in _components(described) else ""


def _components(described: System) -> list[str]:
    """Return the components with tables, in the order of their tables, and the relay."""
    return [*dict.fromkeys(described.owners.values()), RELAY]


def _lanes(described: System, points: Iterable[Point]) -> list[str]:
    """Return all lanes. Each partition of the broker has one, between the components that write to the broker and the view."""
    named = [CLIENT, *_components(described)]
    partitions = sorted({point.lane for point in points} - {*named, VIEW})
    return [*named, *partitions, *([VIEW] if described.view_keeper else [])]


def _drawing(
    points: Sequence[Point], lanes: Sequence[str], bands: Sequence[tuple[str, datetime, datetime | None, str]], orders: set[int]
) -> str:
    if not points:
        return "<p>Nothing has happened yet.</p>"
    begin, end = points[0].at, points[-1].at
    span = max((end - begin).total_seconds(), 0.001)
    height = TOP + ROW * len(lanes) + 10

    def x(at: datetime) -> float:
        return round(LEFT + 10 + min(max((at - begin).total_seconds() / span, 0.0), 1.0) * (WIDTH - LEFT - 40), 1)

    def y(lane: str) -> int:
        return TOP + ROW * lanes.index(lane) + ROW // 2

    parts = [f"<svg viewBox='0 0 {WIDTH} {height}' role='img' aria-label='timeline'>"]
    for lane in lanes:
        parts.append(
            f"<line class='lane' x1='{LEFT}' x2='{WIDTH}' y1='{y(lane)}' y2='{y(lane)}'/><text x='4' "
            f"y='{y(lane) + 4}'>{_shown(lane)}</text>"
        )
    for lane, since, until, text in bands:
        top, tall = (y(lane) - ROW // 2, ROW) if lane in lanes else (TOP, ROW * len(lanes))
        left = x(since)
        wide = max(x(until) - left, 2) if until else WIDTH - left
        parts.append(f"<rect class='band' x='{left}' y='{top}' width='{wide}' height='{tall}'><title>{_shown(text)}</title></rect>")
    for share in range(0, 11):
        seconds = span * share / 10
        parts.append(
            f"<text class='tick' x='{LEFT + 10 + (WIDTH - LEFT - 40) * share / 10:.0f}' "
            f"y='14'>+{seconds:.{0 if span > 20 else 2}f} s</text>"
        )
    for point in points:
        marked = " witness" if point.order_id in orders and point.order_id is not None else ""
        title = f"{point.at:%H:%M:%S}.{point.at.microsecond // 1000:03}  {point.text}" + (
            f"  (order {point.order_id})" if point.order_id is not None else ""
        )
        parts.append(
            f"<circle class='{point.kind}{marked}' "
            f"data-order='{point.order_id if point.order_id is not None else ''}' cx='{x(point.at)}' cy='{y(point.lane)}'"
            f" r='{6 if marked else 4}'><title>{_shown(title)}</title></circle>"
        )
    return "".join([*parts, "</svg>"])


def _legend() -> str:
    shown = "".join(f"<span><i style='background:var(--{kind})'></i>{name}</span>" for kind, name in LEGEND.items())
    return (
        f"<p class='legend'>{shown}<span><i class='ring'></i>about a witness</span><span><i "
        f"class='band'></i>fault, or not running</span></p>"
    )


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem}h1{margin:0}h1.pass{color:var(--good)}h1.fail{color:var(--bad)}"
    "h1.unknown{color:var(--unsure)}pre{background:var(--panel);padding:1rem;overflow:auto;border-radius:6px}"
    ".about{color:var(--quiet);margin-top:0}.scroll{overflow-x:auto}svg{width:100%;min-width:52rem}"
    ".lane{stroke:var(--line)}text{font-size:12px;fill:var(--ink)}"
    ".tick{fill:var(--quiet);text-anchor:middle}.band{fill:var(--band);opacity:.25}circle{cursor:pointer}"
    "circle.witness{stroke:var(--bad);stroke-width:3}circle.dim{opacity:.06}"
    + "".join(f"circle.{kind}{{fill:var(--{kind})}}" for kind in LEGEND)
    + ".legend span{margin-right:1.2rem}.legend i{display:inline-block;width:.8em;height:.8em;border-radius:50%;margin-right:.35em}"
    ".legend i.ring{border:3px solid var(--bad)}.legend i.band{border-radius:0;background:var(--band);opacity:.4}"
    "@media(max-width:40rem){body{margin:1rem}pre{font-size:.75rem;padding:.6rem}}"
)
_SCRIPT = (
    "let shown=null;document.querySelectorAll('circle').forEach(c=>c.addEventListener('click',()=>{const o=c.dataset.order;"
    "shown=(o===''||o===shown)?null:o;document.querySelectorAll('circle').forEach(d=>d.classList.toggle('dim',shown!==null&&d.dataset.order!==shown))}))"
)
