"""Whether the system was at rest when it was read.

Some invariants hold only at rest and are judged only then. A system that never comes to rest may be a failure in itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labkit.explanation import Fact
from labkit.invariants import scope, wording
from labkit.trace.tables import EvidenceTables
from labkit.verdict.finding import Finding, traceback_of
from labkit.verdict.process_events import Machine, facts_of_log

LOOP = 20  # outbox rows about one order; a complete saga with a cancellation writes four

PLACES = {
    "outbox": "the outboxes",
    "lag": "{broker}'s consumer groups",
    "held": "{broker}'s partitions",
    "transaction": "InnoDB's list of transactions",
    "gate": "the ledger",
    "paused": "the process table",
    "unreadable": "the stores",
}


@dataclass(frozen=True)
class Rest:
    reached: bool
    findings: tuple[Finding, ...]
    why_not: str = ""
    next_step: str = "labkit verify"
    notes: tuple[str, ...] = ()


def rest_of(connection: Any, run: dict[str, str], machine: Machine) -> Rest:
    """Return how the wait for stillness ended."""
    outcome = run.get("stillness", "")
    notes = _faults(connection)
    moment = connection.execute("SELECT complete, reason, component FROM completeness WHERE source = 'moment'").fetchone()
    if outcome in ("still", "settled") and (moment is None or moment[0]):
        return Rest(True, (), notes=notes)
    tables = EvidenceTables(connection)
    open_now = _outstanding(tables)
    facts = tuple(fact for found in open_now.values() for fact in found)
    if outcome == "stuck":
        return _stuck(connection, run, machine, open_now, facts, notes)
    if outcome == "repeating" and (again := _repeating(tables, run, machine, notes)) is not None:
        return again
    if outcome == "moving":
        return _moving(tables, run, notes)
    moved = moment[1] if moment and not moment[0] and outcome in ("still", "settled") else None
    reason = moved or run.get("stillness_detail") or (moment and moment[1]) or "it is unknown whether anything was still in progress"
    writer = run.get("stillness_writer")
    if writer and writer not in reason:
        reason = f"{reason}: {writer} writes"
    if excuse := machine.lasting_excuse(_started(run)):
        reason = f"{reason}; {excuse}"
    sentence, next_step = f"{_capital(reason)}.", machine.next_step if machine.disturbances else "labkit status, then labkit verify"
    kind, title = ("unread", "A store could not be read") if outcome == "unread" else ("moving", "Not at rest")
    return Rest(
        False,
        (Finding(kind=kind, is_failure=False, title=title, sentence=sentence, because=facts, next_step=next_step),),
        sentence,
        next_step,
        notes,
    )


def _stuck(
    connection: Any,
    run: dict[str, str],
    machine: Machine,
    open_now: Mapping[str, list[Fact]],
    facts: tuple[Fact, ...],
    notes: tuple[str, ...],
) -> Rest:
    component, what = _who_is_stuck(connection)
    what = what or run.get("stillness_detail", "something is outstanding")
    faults = connection.execute("SELECT id, primitive, target FROM faults WHERE healed IS NULL ORDER BY id").fetchall()
    why = f"nothing moved for 10 s, and {what}"
    if faults:
        fault_id, primitive, target = faults[0]
        sentence = f"{_capital(why)}. Fault {fault_id} ({primitive} {target}) is still set."
        finding = Finding(
            kind="disturbed",
            is_failure=False,
            title="Held up by a fault",
            sentence=sentence,
            because=facts,
            next_step=f"labkit heal {fault_id}",
        )
        return Rest(False, (finding,), finding.sentence, finding.next_step, notes)
    if (stopped := _stopped(connection, run, component, open_now)) is not None:
        finding = Finding(
            kind="disturbed",
            is_failure=False,
            title=f"{component} is not running",
            sentence=f"{_capital(why)}; {stopped}.",
            because=facts,
            next_step="labkit up",
        )
        return Rest(False, (finding,), finding.sentence, finding.next_step, notes)
    if "held" in open_now and not {"outbox", "lag"} & open_now.keys():
        finding = Finding(
            kind="disturbed",
            is_failure=False,
            title="Held up by an open transaction",
            sentence=f"{_capital(why)}.",
            because=facts,
            next_step="labkit topics",
        )
        return Rest(False, (finding,), finding.sentence, finding.next_step, notes)
    if excuse := machine.lasting_excuse(_started(run)):
        sentence = f"{_capital(why)}; but {excuse}."
        finding = Finding(
            kind="disturbed", is_failure=False, title="Held up from outside", sentence=sentence, because=facts, next_step=machine.next_step
        )
        return Rest(False, (finding,), sentence, machine.next_step, notes)
    words = connection.execute(
        "SELECT text, message_id FROM last_words WHERE component = ? AND ended IS NULL ORDER BY said DESC NULLS LAST LIMIT 1", [component]
    ).fetchone()
    text, message_id = words or (None, None)
    lines = traceback_of(text)
    known = [*facts, *facts_of_log(component, "its last exception", lines, message_id)]
    if not words and (doing := run.get(f"doing {component}")):
        known.append(Fact(doing, f"labkit logs {component}"))
    so = f"{component} makes no progress: it hangs, waits forever, or retries the same work endlessly."
    finding = Finding(
        kind="stuck",
        is_failure=True,
        title=f"{component} is stuck",
        sentence=f"{_capital(why)}.",
        because=tuple(known),
        so=so,
        next_step=f"labkit logs {component}",
        traceback=lines,
    )
    return Rest(False, (finding,), finding.sentence, finding.next_step, notes)


def _stopped(connection: Any, run: dict[str, str], component: str, open_now: Mapping[str, list[Fact]]) -> str | None:
    """Return why a component is stopped: it is suspended, labkit stopped it and nothing restarted it, or it was down from the start.

    None if it is not stopped in one of these ways.
    """
    if "paused" in open_now:
        return f"{component} is suspended (SIGSTOP), and no fault of labkit did that"
    last = connection.execute(
        "SELECT event, by_labkit FROM environment WHERE component = ? AND event IN ('start', 'adopt', 'end') "
        "ORDER BY happened DESC, event DESC LIMIT 1",
        [component],
    ).fetchone()
    if last is None and component in run.get("down", "").split():
        return f"{component} is not running, and was not when this began"
    return f"labkit itself stopped {component}" if last and last[0] == "end" and last[1] else None


def _moving(tables: EvidenceTables, run: dict[str, str], notes: tuple[str, ...]) -> Rest:
    rate = f" ({run['stillness_rate']} per second)" if run.get("stillness_rate") else ""
    loops = tables.rows(
        "SELECT order_id, count(*) AS n, mode(event) FROM outbox WHERE order_id IS NOT NULL GROUP BY order_id "
        "HAVING n > ? ORDER BY n DESC, order_id",
        LOOP,
    )
    if loops:
        order_id, rows, event = loops[0]
        facts = (Fact(f"the outboxes hold {rows} messages about order {order_id}, most of them {event}", wording.outboxes(tables)),)
        sentence = f"Order {order_id} is in a loop: {rows} messages were written about it, and there is no end{rate}."
        so = f"two handlers trigger each other forever: which one publishes {event} when it receives what {event} causes?"
        finding = Finding(
            kind="loop",
            is_failure=True,
            title="A loop",
            sentence=sentence,
            because=facts,
            so=so,
            next_step=f"labkit trace order {order_id}",
            count=len(loops),
            orders=tuple(o for o, _, _ in loops),
        )
        return Rest(False, (finding,), "the system did not come to rest", finding.next_step, notes)
    writer = run.get("stillness_writer")
    who = f": {writer} writes" if writer else ""
    waited = f" after {float(run['stillness_seconds']):.0f} s" if run.get("stillness_seconds") else ""
    why = f"something was still moving{waited}{rate}{who}"
    next_step = "stop the writer (labkit load?), then labkit verify"
    return Rest(
        False,
        (Finding(kind="moving", is_failure=False, title="Still moving", sentence=f"{_capital(why)}.", next_step=next_step),),
        why,
        next_step,
        notes,
    )


def _repeating(tables: EvidenceTables, run: dict[str, str], machine: Machine, notes: tuple[str, ...]) -> Rest | None:
    """Return the result for repeated publishing; None if the records do not show any."""
    everything = scope.everything(tables.connection)  # the relay is the same for all customers
    row = tables.row(
        "SELECT o.id, o.event, o.order_id, t.total, o.schema_name, r.channel, any_value(r.partition_no), count(*) AS copies "
        f"FROM {everything}.outbox o JOIN {everything}.records r ON r.message_id = o.id "
        f"LEFT JOIN {everything}.orders t ON t.id = o.order_id "
        "WHERE NOT o.published GROUP BY ALL HAVING copies > 1 ORDER BY o.order_id NULLS LAST, o.id LIMIT 1"
    )
    if row is None:
        return None
    message_id, event, order_id, total, schema, channel, partition, copies = row
    about = f"{event or 'a message'}{f' of order {order_id}' if order_id is not None else ''}{f' ({total})' if total is not None else ''}"
    sentence = f"The relay published {about} {copies} times, and its row is still not marked as published."
    facts = (
        Fact(f"{copies} records carry the id {message_id}", f"{channel}, partition {partition}"),
        Fact("its row is not marked as published", wording.outbox(schema)),
    )
    servers = [str(name) for (name,) in tables.rows("SELECT component FROM servers WHERE is_broker OR is_database")]
    if excuse := machine.lasting_excuse(_started(run), by=servers):
        finding = Finding(
            kind="disturbed",
            is_failure=False,
            title="Held up from outside",
            sentence=f"{sentence[:-1]}; but {excuse}.",
            because=facts,
            next_step=machine.next_step,
        )
        return Rest(False, (finding,), finding.sentence, finding.next_step, notes)
    so = "the relay finds the same rows in each round: it does not mark what the broker has acknowledged, or marks other rows."
    title = "The relay publishes the same messages repeatedly"
    finding = Finding(
        kind="repeating",
        is_failure=True,
        title=title,
        sentence=sentence,
        because=facts,
        so=so,
        next_step=f"labkit trace message {message_id}",
    )
    return Rest(False, (finding,), "the system did not come to rest", finding.next_step, notes)


def _outstanding(tables: EvidenceTables) -> dict[str, list[Fact]]:
    """Return the outstanding work in the last look, by condition."""
    found: dict[str, list[Fact]] = {}
    for condition, subject, detail in tables.rows(
        "SELECT condition, subject, detail FROM outstanding WHERE sample = (SELECT max(sample) FROM samples)"
        " ORDER BY condition, subject, detail"
    ):
        place = PLACES.get(condition, condition).format(broker=wording.broker(tables))
        found.setdefault(condition, []).append(Fact(detail or f"{condition} of {subject}", place))
    return found


def _who_is_stuck(connection: Any) -> tuple[str, str]:
    """Return the stuck component and its outstanding work. Both come from the same condition, so that no other component is blamed."""
    rows = connection.execute(
        "SELECT condition, subject, detail FROM outstanding WHERE sample = (SELECT max(sample) FROM samples)"
        " ORDER BY condition, subject, detail"
    ).fetchall()
    for condition in ("paused", "lag", "outbox", "transaction"):
        for found, subject, detail in rows:
            if found == condition:
                return _owner(connection, condition, str(subject)), detail or f"{condition} of {subject}"
    found, subject, detail = rows[0] if rows else ("", "", "")
    return "the system", detail or (f"{found} of {subject}" if found else "")


def _owner(connection: Any, condition: str, subject: str) -> str:
    if condition == "lag":
        taker = connection.execute("SELECT component FROM subscriptions WHERE subscriber = ? LIMIT 1", [subject]).fetchone()
        return str(taker[0]) if taker else subject
    return "relay" if condition == "outbox" else subject


def _faults(connection: Any) -> tuple[str, ...]:
    rows = connection.execute("SELECT id, primitive, target FROM faults WHERE healed IS NULL ORDER BY id").fetchall()
    return tuple(
        f"Fault {fault_id} ({primitive} {target}) was set all the time: labkit heal {fault_id}." for fault_id, primitive, target in rows
    )


def _started(run: dict[str, str]) -> datetime | None:
    return datetime.fromisoformat(run["started"]).replace(tzinfo=None) if "started" in run else None


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
