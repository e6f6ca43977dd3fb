"""What happened to the processes. Some events are the code's own fault; others excuse that something is missing."""

import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from labkit.explanation import Fact
from labkit.verdict.finding import Finding, traceback_of

LABKIT = {"labkit": "labkit", "supervisor": "labkit's supervisor"}
OWN_SIGNALS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)  # signals that a process's own fault raises
ASKED_TO = (0, 128 + signal.SIGTERM, 128 + signal.SIGKILL, 128 + signal.SIGINT)  # exit codes of a process that something else stopped
PORT = "its port "  # starts the detail of an end whose cause is a port held by another process
NOTES = 3
STRANGER_NEXT = "labkit topics; end that consumer (or give it a group of its own), then labkit reset"
TOLERANCE = timedelta(seconds=2)  # between the clocks of the database and the supervisor


@dataclass(frozen=True)
class Disturbance:
    """Something that was done to a component from outside. `is_over`: the component has been started again since."""

    component: str
    happened: datetime | None
    text: str
    is_over: bool
    next: str = "labkit up, then labkit verify"  # what to do about it until it is over


@dataclass(frozen=True)
class Machine:
    """The disturbances and findings of a run.

    `titles` names the servers and labkit's own processes: their events are not the code's fault.
    """

    disturbances: tuple[Disturbance, ...]
    findings: tuple[Finding, ...]
    titles: Mapping[str, str]
    unwatched: str | None = None
    """Why the process events are not known."""

    def excuse(self, since: datetime | None = None) -> str | None:
        """Return an excuse for what has been missing since then, or None.

        It is the first possible cause that is not the code's fault.
        """
        late = [d for d in self.disturbances if since is None or d.happened is None or d.happened >= since - TOLERANCE]
        return late[0].text if late else self.unwatched

    def lasting_excuse(self, since: datetime | None, *, by: Sequence[str] | None = None) -> str | None:
        """Return an excuse for a system that does not move, or None.

        It is a component that is still down, or a server or labkit that failed during the wait. `by` limits the components that can be to
        blame.
        """
        for d in self.disturbances:
            if by is not None and d.component not in by:
                continue
            if not d.is_over or (d.component in self.titles and since and d.happened and d.happened >= since - TOLERANCE):
                return d.text
        return self.unwatched if by is None else None

    @property
    def notes(self) -> tuple[str, ...]:
        told = {finding.sentence for finding in self.findings}
        others = [f"{d.text}." for d in self.disturbances if f"{d.text}." not in told]
        shown = others[:NOTES]
        if len(others) > NOTES:
            more = len(others) - NOTES
            shown.append(f"{more} more time{'s' * (more > 1)} a component ended, was paused or stalled.")
        return tuple(shown)

    @property
    def next_step(self) -> str:
        return next((d.next for d in self.disturbances if not d.is_over), "labkit status")


def machine_of(connection: Any) -> Machine:
    rows = connection.execute(
        "SELECT component, event, happened, exit_code, signal, by_labkit, detail,"
        " EXISTS (FROM environment s WHERE s.component = e.component AND s.event IN ('start', 'adopt', "
        "'unpause') AND s.happened >= e.happened)"
        " FROM environment e WHERE event IN ('end', 'oom', 'pause', 'stall') AND by_labkit IS DISTINCT FROM "
        "true ORDER BY happened, component, event"
    ).fetchall()
    titles = {**dict(connection.execute("SELECT component, title FROM servers").fetchall()), **LABKIT}
    findings: dict[str, Finding] = {}
    disturbances: list[Disturbance] = []
    for *row, is_over in rows:
        component, event, happened, exit_code = row[:4]
        name = titles.get(component, component)
        if component == "supervisor" and exit_code == 0:
            continue  # the supervisor ends when the last of its processes does
        if event == "end" and (row[6] or "").startswith(PORT):
            disturbances.append(Disturbance(component, happened, f"{name} could not start: {row[6]}", is_over))
            if not is_over:
                findings.setdefault(component, _port_taken(component, name, happened, row[6]))
        elif component in titles or not _by_itself(*row[1:]):
            disturbances.append(Disturbance(component, happened, _words(name, *row[1:]), is_over or event == "stall"))
        elif component not in findings:
            findings[component] = _crash(connection, *row)
    return Machine((*disturbances, *_strangers(connection)), tuple(findings.values()), titles, _unwatched(connection))


def _strangers(connection: Any) -> Iterator[Disturbance]:
    """Yield the foreign consumers that take records from a service."""
    found = connection.execute("SELECT value FROM facts WHERE name = 'strangers'").fetchone()
    for group, members in (json.loads(found[0]) if found else {}).items():
        taker = connection.execute("SELECT component FROM subscriptions WHERE subscriber = ? LIMIT 1", [group]).fetchone()
        component = str(taker[0]) if taker else group
        who = ", ".join(members)
        yield Disturbance(
            component, None, f"a foreign consumer is in the group {group} ({who}) and takes records that {component} should take", False
        )


def _port_taken(component: str, name: str, happened: datetime | None, taken: str) -> Finding:
    because = (
        Fact(f"{component} ended{f' at {happened:%H:%M:%S}' if happened else ''}", "events.jsonl"),
        Fact(taken, "the machine's ports"),
    )
    sentence = f"{name} could not start: {taken}."
    return Finding(
        kind="disturbed",
        is_failure=False,
        title=f"{name} is not running",
        sentence=sentence,
        because=because,
        next_step="labkit up, which gives it another port",
    )


def _by_itself(event: str, _: Any, exit_code: int | None, number: int | None, by_labkit: bool | None, detail: str | None) -> bool:
    if event == "oom":
        return "host" not in (detail or "")
    if event != "end":
        return False
    if number is not None:
        return number in OWN_SIGNALS
    return exit_code is not None and (exit_code not in ASKED_TO or (exit_code == 0 and by_labkit is False))


def _words(name: str, event: str, happened: Any, exit_code: int | None, number: int | None, _: bool | None, detail: str | None) -> str:
    at = f" at {happened:%H:%M:%S}" if happened else ""
    match event:
        case "pause":
            return f"{name} was paused{at}, and labkit did not do that"
        case "stall":
            return f"{name} stalled{at}{f' ({detail})' if detail else ''}"
        case "oom":
            return f"{name} was killed{at} because the machine had no memory left"
        case _:
            how = f"by {_signal(number)}" if number else f"with exit code {exit_code}" if exit_code is not None else "and nobody saw how"
            return f"{name} ended {how}{at}, and no fault of labkit did that"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _crash(
    connection: Any, component: str, event: str, happened: Any, exit_code: int | None, number: int | None, _: Any, detail: str | None
) -> Finding:
    row = connection.execute(
        "SELECT text, message_id FROM last_words WHERE component = ? AND (ended = ? OR ended IS NULL AND NOT EXISTS"
        " (FROM environment WHERE component = ? AND event IN ('start', 'adopt') AND happened >= ?))"
        " ORDER BY ended NULLS LAST, said DESC NULLS LAST LIMIT 1",
        [component, happened, component, happened],
    ).fetchone()
    (times,) = connection.execute(
        "SELECT count(*) FROM environment WHERE component = ? AND event IN ('end', 'oom') AND by_labkit IS DISTINCT FROM true", [component]
    ).fetchone()
    text, message_id = row or (None, None)
    lines = traceback_of(text)
    how = "it exceeded its memory limit" if event == "oom" else f"by {_signal(number)}" if number else f"with exit code {exit_code}"
    again = f", {times} times" if times > 1 else ""
    last = f": {lines[-1].strip()}" if lines else ""
    sentence = f"{component} ended by itself {how}{again}{last}"
    facts = [Fact(f"{component} ended {how} at {happened:%H:%M:%S}" if happened else f"{component} ended {how}", "events.jsonl")]
    facts += facts_of_log(component, "its last words", lines, message_id)
    next_step = f"labkit trace message {message_id}" if message_id else f"labkit logs {component}"
    so = f"nothing outside ended {component}: the cause is in its own code{f' ({detail})' if detail else ''}."
    return Finding(
        kind="ended",
        is_failure=True,
        title=f"{component} ended by itself",
        sentence=f"{sentence.rstrip('.')}.",
        because=tuple(facts),
        so=so,
        next_step=next_step,
        count=int(times),
        traceback=lines,
    )


def facts_of_log(component: str, title: str, lines: Sequence[str], message_id: str | None) -> list[Fact]:
    """Return what a component's log adds to a finding: its last line, under `title`, and the message in progress."""
    said = f"{title}: {lines[-1].strip()}" if lines else None
    in_progress = f"it had message {message_id} in progress" if message_id else None
    return [Fact(text, f"labkit logs {component}") for text in (said, in_progress) if text]


def _unwatched(connection: Any) -> str | None:
    """Return why the processes were not watched all the time, or None."""
    row = connection.execute("SELECT reason FROM completeness WHERE source = 'environment' AND NOT complete").fetchone()
    return str(row[0]) if row else None
