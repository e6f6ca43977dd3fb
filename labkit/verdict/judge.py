"""Judge an evidence database. The judgement is a pure function of its content.

There are three verdicts: pass, fail (the code is wrong) and unknown (never a pass). Fail outranks unknown, and unknown outranks pass. A
violation in complete evidence is a fail, whatever happened to the machine. Something that is merely missing is unknown if a server or
labkit ended or stalled, or if a service was signalled, paused or killed from outside.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from labkit.invariants import discovery
from labkit.invariants.model import Invariant
from labkit.invariants.scope import narrowed
from labkit.invariants.witness import Witness, witness
from labkit.pass_fail_unknown import Verdict, worst
from labkit.system import DEFAULT
from labkit.verdict.finding import Finding
from labkit.verdict.parked import parked_findings
from labkit.verdict.process_events import Machine, machine_of
from labkit.verdict.stillness import Rest, rest_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class RuleOutcome(Enum):
    """The verdict on one invariant, or why there is none."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOTHING = "nothing to judge"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Result:
    """The result for one invariant.

    `judged` is the number of things that were judged, `count` the number of violations, and `consequences` the number of violations that
    follow from a parked message. `reason` says why the invariant is unknown or was not judged.
    """

    invariant: Invariant
    outcome: RuleOutcome
    judged: int = 0
    count: int = 0
    consequences: int = 0
    reason: str = ""
    next_step: str = ""
    first: Witness | None = None
    worst: Witness | None = None
    last: Witness | None = None


@dataclass(frozen=True)
class Judgement:
    verdict: Verdict
    findings: tuple[Finding, ...]
    results: tuple[Result, ...]
    notes: tuple[str, ...]
    run: dict[str, str]


def judge(
    connection: "DuckDBPyConnection",
    invariants: Sequence[Invariant] | None = None,
    *,
    must_judge: Iterable[str] = (),
    hold: Collection[str] = (),
) -> Judgement:
    """Judge the evidence, and return the judgement.

    `invariants` defaults to all that apply to the run's profile. `must_judge` lists ids of invariants that a check relies on: they are
    unknown if there is nothing to judge. `hold` lists ids of invariants that are known to hold, for this evidence or more of it.
    """
    with narrowed(connection):
        return _judge(connection, invariants, set(must_judge), hold)


def _judge(connection: "DuckDBPyConnection", invariants: Sequence[Invariant] | None, needed: set[str], hold: Collection[str]) -> Judgement:
    run = dict(connection.execute("SELECT name, value FROM facts ORDER BY name").fetchall())
    profile = run.get("profile", DEFAULT)
    if invariants is None:
        invariants = discovery.of_profile(profile)
    machine, parked = machine_of(connection), parked_findings(connection)
    rest = rest_of(connection, run, machine)
    parked_orders = {order for finding in parked for order in finding.orders}
    results = tuple(
        _judged(connection, i, machine, rest, parked_orders, i.id in needed, i.id in hold)
        if i.holds_for(profile)
        else _not_applicable(i, i.id in needed)
        for i in invariants
    )
    findings = (*parked, *machine.findings, *rest.findings)
    return Judgement(_worst(findings, results), findings, results, (*rest.notes, *machine.notes), run)


def _worst(findings: Sequence[Finding], results: Sequence[Result]) -> Verdict:
    verdict_of = {RuleOutcome.PASS: Verdict.PASS, RuleOutcome.FAIL: Verdict.FAIL, RuleOutcome.UNKNOWN: Verdict.UNKNOWN}
    of_results = [verdict_of[result.outcome] for result in results if result.outcome in verdict_of]
    return worst([*of_results, *(Verdict.FAIL if finding.is_failure else Verdict.UNKNOWN for finding in findings)])


def _not_applicable(invariant: Invariant, is_needed: bool) -> Result:
    reason = f"only for the profile {' or '.join(invariant.profiles)}"
    return Result(invariant, RuleOutcome.UNKNOWN if is_needed else RuleOutcome.NOT_APPLICABLE, reason=reason)


def _judged(
    connection: Any, invariant: Invariant, machine: Machine, rest: Rest, parked_orders: set[int], is_needed: bool, holds: bool
) -> Result:
    try:
        return _run(connection, invariant, machine, rest, parked_orders, is_needed, holds)
    except Exception as error:  # a failing checker says nothing about the code under test
        text = str(error).splitlines()[0] if str(error) else ""
        reason = f"the check itself failed: {type(error).__name__}: {text}"
        return Result(invariant, RuleOutcome.UNKNOWN, reason=reason, next_step="labkit verify --save FILE, and attach the file to a report")


def _run(
    connection: Any, invariant: Invariant, machine: Machine, rest: Rest, parked_orders: set[int], is_needed: bool, holds: bool
) -> Result:
    if gap := _gap(connection, invariant.needs):
        return Result(invariant, RuleOutcome.UNKNOWN, reason=gap, next_step=machine.next_step)
    if invariant.at_rest and not rest.reached:
        return Result(invariant, RuleOutcome.UNKNOWN, reason=rest.why_not, next_step=rest.next_step)
    (judged,) = connection.execute(invariant.judged).fetchone()
    found = [] if holds else _rows(connection, invariant.violations)
    doubtful = {source: kinds for source, kinds in invariant.rests_on.items() if _gap(connection, [source])}
    rows = [row for row in found if not any(row["kind"] in kinds for kinds in doubtful.values())]
    if not rows:
        if gap := _gap(connection, invariant.wants if not found else [*doubtful]):
            return Result(invariant, RuleOutcome.UNKNOWN, judged, reason=gap, next_step=machine.next_step)
        if judged:
            return Result(invariant, RuleOutcome.PASS, judged)
        return Result(invariant, RuleOutcome.UNKNOWN if is_needed else RuleOutcome.NOTHING, reason="there was nothing to judge")
    own = [row for row in rows if row.get("order_id") not in parked_orders]
    shown = own or rows
    worst = max(shown, key=lambda row: row["badness"] or 0)
    tell = {id(row): witness(connection, invariant, row) for row in (shown[0], worst, shown[-1])}
    first, worst_explained, last = tell[id(shown[0])], tell[id(worst)], tell[id(shown[-1])]
    excuse = machine.excuse(_since(connection, rows)) if all(row["kind"] in invariant.missing for row in rows) else None
    if excuse:
        reason = f"{_plural(len(rows), 'violation')}, but all of them are missing data, and {excuse}"
        return Result(
            invariant,
            RuleOutcome.UNKNOWN,
            judged,
            len(rows),
            len(rows) - len(own),
            reason,
            machine.next_step,
            first=first,
            worst=worst_explained,
            last=last,
        )
    return Result(invariant, RuleOutcome.FAIL, judged, len(rows), len(rows) - len(own), first=first, worst=worst_explained, last=last)


def _since(connection: Any, rows: list[dict[str, Any]]) -> datetime | None:
    """Return when the first order with something missing began."""
    orders = [row["order_id"] for row in rows]
    if None in orders:
        return None
    (first,) = connection.execute("SELECT min(created) FROM outbox WHERE order_id IN (SELECT unnest(?))", [orders]).fetchone()
    began: datetime | None = first
    return began


def _rows(connection: Any, query: str) -> list[dict[str, Any]]:
    found = connection.execute(query)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _gap(connection: Any, sources: Sequence[str]) -> str | None:
    """Return why these sources are insufficient, or None."""
    for source in sources:
        found = connection.execute("SELECT complete, reason FROM completeness WHERE source = ?", [source]).fetchone()
        if found is None:
            return f"{source} was not collected"
        if not found[0]:
            return str(found[1] or f"{source} could not be read completely")
    return None


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
