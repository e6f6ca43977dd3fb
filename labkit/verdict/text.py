"""A judgement as text for people and as JSON for programs. Both depend on the evidence alone: the same file always gives the same bytes.

The page with the timeline is in labkit/verdict/page.py.
"""

import json
from collections.abc import Iterator
from typing import Any

from labkit.explanation import LABEL, Explanation, as_lines, heading, labelled
from labkit.explanation import as_data as explanation_as_data
from labkit.invariants.witness import Witness
from labkit.pass_fail_unknown import Verdict
from labkit.terminal import screen
from labkit.terminal.say import one_line
from labkit.verdict.finding import Finding
from labkit.verdict.judge import Judgement, Result, RuleOutcome

MARKS = dict.fromkeys(RuleOutcome, "·") | {RuleOutcome(verdict.value): verdict.mark for verdict in Verdict}
FORMAT = 1
NAME_WIDTH = 32
RUN_FACTS = ("run", "stack", "runtime", "labkit", "seed", "mysql_kind", "mysql_version", "services", "started", "ended")


def as_text(judgement: Judgement, columns: int) -> str:
    """Return what `labkit verify` prints on a screen of `columns` columns."""
    lines = [*table(judgement), *details(judgement, columns), *_ending(judgement)]
    return screen.fitted("\n".join(map(one_line, lines)), columns)


def table(judgement: Judgement) -> Iterator[str]:
    """Yield one line for each finding and invariant."""
    for finding in judgement.findings:
        yield f"  {_mark(finding)}      {finding.title}"
    for result in judgement.results:
        yield f"  {MARKS[result.outcome]} {result.invariant.id:4} {result.invariant.name:{NAME_WIDTH}}  {_amount(result)}".rstrip()


def details(judgement: Judgement, columns: int) -> Iterator[str]:
    """Yield each finding and failed invariant, and each reason for an unknown one once."""
    for finding in judgement.findings:
        yield from ("", *_finding(finding, columns))
    for result in judgement.results:
        if result.outcome is RuleOutcome.FAIL or (result.outcome is RuleOutcome.UNKNOWN and result.first):
            yield from ("", *_result(result, columns))
    shown = {finding.sentence.rstrip(".").lower() for finding in judgement.findings}
    reasons: dict[tuple[str, str], list[str]] = {}
    for result in judgement.results:
        if result.outcome is RuleOutcome.UNKNOWN and not result.first and result.reason.rstrip(".").lower() not in shown:
            reasons.setdefault((result.reason, result.next_step), []).append(result.invariant.id)
    for (reason, next_step), ids in reasons.items():
        yield from ("", heading(Verdict.UNKNOWN.mark, f"{', '.join(ids)}: not judged"), "")
        yield from as_lines(Explanation(f"{_capital(reason)}.", next_step=next_step), columns)


def _ending(judgement: Judgement) -> Iterator[str]:
    yield ""
    for note in judgement.notes:
        yield f"Note: {note}"
    yield summary(judgement)


def summary(judgement: Judgement) -> str:
    words = {
        RuleOutcome.PASS: "passed",
        RuleOutcome.FAIL: "failed",
        RuleOutcome.UNKNOWN: "unknown",
        RuleOutcome.NOTHING: "with nothing to judge",
        RuleOutcome.NOT_APPLICABLE: "not applicable",
    }
    outcomes = [result.outcome for result in judgement.results]
    counts = ", ".join(f"{n} {word}" for outcome, word in words.items() if (n := outcomes.count(outcome)))
    verdict = {Verdict.PASS: "Pass", Verdict.FAIL: "Fail", Verdict.UNKNOWN: "Unknown"}[judgement.verdict]
    beside = f", {len(judgement.findings)} other finding{'s' * (len(judgement.findings) > 1)}" if judgement.findings else ""
    return f"{verdict}: {counts}{beside}."


def _amount(result: Result) -> str:
    match result.outcome:
        case RuleOutcome.PASS:
            return f"{result.judged} judged"
        case RuleOutcome.FAIL:
            return f"{_violations(result.count)}, {result.judged} judged"
        case RuleOutcome.UNKNOWN:
            return "unknown"
        case _:
            return result.reason if result.outcome is RuleOutcome.NOT_APPLICABLE else "nothing to judge"


def _violations(count: int) -> str:
    return f"{count} violation" if count == 1 else f"{count} violations"


def _finding(finding: Finding, columns: int) -> Iterator[str]:
    yield heading(_mark(finding), finding.title)
    yield ""
    yield from as_lines(finding, columns)


def _mark(finding: Finding) -> str:
    return (Verdict.FAIL if finding.is_failure else Verdict.UNKNOWN).mark


def _result(result: Result, columns: int) -> Iterator[str]:
    assert result.first
    yield heading(MARKS[result.outcome], result.invariant.id, f"{result.invariant.name}: {_violations(result.count)}")
    yield ""
    if result.consequences == result.count and result.count:
        yield "  As a consequence of the message that was given up:"
    unknown = result.outcome is RuleOutcome.UNKNOWN
    yield from as_lines(result.first, columns, remark=f"This is not a verdict: {result.reason}." if unknown else "")
    others = [(name, w) for name, w in (("worst", result.worst), ("last", result.last)) if w and w is not result.first]
    if len(others) == 2 and others[0][1] is others[1][1]:
        others = [("the last and worst", others[0][1])] if result.count > 2 else [("the other", others[0][1])]
    if others:
        yield ""
    for name, other in others:
        label = name if len(name) < LABEL else f"{name}: "
        yield from labelled(label, other.sentence, columns)
    if 0 < result.consequences < result.count:
        yield from ("", f"  {result.consequences} of these follow from a message that was given up.")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def as_json(judgement: Judgement) -> str:
    return json.dumps(as_data(judgement), indent=2, ensure_ascii=False)


def as_data(judgement: Judgement) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "verdict": judgement.verdict.value,
        "run": {name: judgement.run[name] for name in RUN_FACTS if name in judgement.run},
        "findings": [_finding_data(finding) for finding in judgement.findings],
        "invariants": [_result_data(result) for result in judgement.results],
        "notes": list(judgement.notes),
    }


def _finding_data(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "verdict": (Verdict.FAIL if finding.is_failure else Verdict.UNKNOWN).value,
        "title": finding.title,
        "count": finding.count,
        "orders": list(finding.orders),
        **explanation_as_data(finding),
    }


def _result_data(result: Result) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": result.invariant.id,
        "name": result.invariant.name,
        "says": result.invariant.sentence,
        "outcome": result.outcome.value,
        "judged": result.judged,
        "count": result.count,
    }
    if result.reason:
        data["reason"] = result.reason
    if result.next_step:
        data["next"] = result.next_step
    if result.consequences:
        data["consequences_of_a_parked_message"] = result.consequences
    for name, shown in (("first", result.first), ("worst", result.worst), ("last", result.last)):
        if shown:
            data[name] = witness_data(shown)
    return data


def witness_data(shown: Witness) -> dict[str, Any]:
    about = {name: getattr(shown, name) for name in ("order_id", "customer_id", "message_id", "commit_no")}
    return {"kind": shown.kind, **{name: value for name, value in about.items() if value is not None}, **explanation_as_data(shown)}
