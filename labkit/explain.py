"""A judgement for people and for programs: text and JSON. Both depend on the evidence alone, so the same file always gives the same bytes.

The page with the timeline is in labkit/page.py.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from labkit import screen
from labkit.invariants.witness import Fact, Witness
from labkit.judging.finding import Finding
from labkit.say import one_line
from labkit.verdict import Judgement, Result, Standing
from labkit.verdicts import Verdict

MARKS = {Standing.PASS: "✓", Standing.FAIL: "✗", Standing.UNKNOWN: "?", Standing.NOTHING: "·", Standing.NOT_APPLICABLE: "·"}
FORMAT = 1
LABEL = 9
NAME_WIDTH = 32
FACT_WIDTH = 62
RUN_FACTS = ("run", "stack", "runtime", "labkit", "seed", "mysql_kind", "mysql_version", "services", "started", "ended")


def as_text(judgement: Judgement, columns: int) -> str:
    """What `labkit verify` prints on a screen of so many columns."""
    lines = [*table(judgement), *details(judgement, columns), *_ending(judgement)]
    return screen.fitted("\n".join(map(one_line, lines)), columns)


def table(judgement: Judgement) -> Iterator[str]:
    """One line an invariant."""
    for finding in judgement.findings:
        yield f"  {'✗' if finding.is_failure else '?'}      {finding.title}"
    for result in judgement.results:
        yield f"  {MARKS[result.standing]} {result.invariant.id:4} {result.invariant.name:{NAME_WIDTH}}  {_amount(result)}".rstrip()


def details(judgement: Judgement, columns: int) -> Iterator[str]:
    """Each finding and failed invariant; the first reason of what is unknown."""
    for finding in judgement.findings:
        yield from ("", *_finding(finding, columns))
    for result in judgement.results:
        if result.standing is Standing.FAIL or (result.standing is Standing.UNKNOWN and result.first):
            yield from ("", *_result(result, columns))
    shown = {finding.sentence.rstrip(".").lower() for finding in judgement.findings}
    reasons: dict[tuple[str, str], list[str]] = {}
    for result in judgement.results:
        if result.standing is Standing.UNKNOWN and not result.first and result.reason.rstrip(".").lower() not in shown:
            reasons.setdefault((result.reason, result.next_step), []).append(result.invariant.id)
    for (reason, next_step), ids in reasons.items():
        yield from ("", f"?  {', '.join(ids)}: not judged", "", *sentence(f"{_capital(reason)}.", columns))
        if next_step:
            yield from labelled("next", next_step, columns)


def _ending(judgement: Judgement) -> Iterator[str]:
    yield ""
    for note in judgement.notes:
        yield f"Note: {note}"
    yield summary(judgement)


def summary(judgement: Judgement) -> str:
    words = {
        Standing.PASS: "passed",
        Standing.FAIL: "failed",
        Standing.UNKNOWN: "unknown",
        Standing.NOTHING: "with nothing to judge",
        Standing.NOT_APPLICABLE: "not applicable",
    }
    standings = [result.standing for result in judgement.results]
    counts = ", ".join(f"{n} {word}" for standing, word in words.items() if (n := standings.count(standing)))
    verdict = {Verdict.PASS: "Pass", Verdict.FAIL: "Fail", Verdict.UNKNOWN: "Unknown"}[judgement.verdict]
    beside = f", {len(judgement.findings)} finding{'s' * (len(judgement.findings) > 1)} beside" if judgement.findings else ""
    return f"{verdict}: {counts}{beside}."


def _amount(result: Result) -> str:
    match result.standing:
        case Standing.PASS:
            return f"{result.judged} judged"
        case Standing.FAIL:
            return f"{_violations(result.count)}, {result.judged} judged"
        case Standing.UNKNOWN:
            return "unknown"
        case _:
            return result.reason if result.standing is Standing.NOT_APPLICABLE else "nothing to judge"


def _violations(count: int) -> str:
    return f"{count} violation" if count == 1 else f"{count} violations"


def _finding(finding: Finding, columns: int) -> Iterator[str]:
    yield f"{'✗' if finding.is_failure else '?'}  {finding.title}"
    yield ""
    yield from sentence(finding.sentence, columns)
    yield from _grounds(finding.because, finding.so, finding.next_step, columns)
    if finding.traceback:
        yield from ("", "  the exception:", *(f"    {line}" for line in finding.traceback))


def _result(result: Result, columns: int) -> Iterator[str]:
    assert result.first
    yield f"{MARKS[result.standing]}  {result.invariant.id}  {result.invariant.name}: {_violations(result.count)}"
    yield ""
    if result.consequences == result.count and result.count:
        yield "  As a consequence of the message that was given up:"
    yield from sentence(result.first.sentence, columns)
    if result.standing is Standing.UNKNOWN:
        yield from ("", *sentence(f"This is not a verdict: {result.reason}.", columns))
    yield from _grounds(result.first.because, result.first.so, result.first.next_step, columns)
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


def _grounds(facts: Sequence[Fact], so: str, next_step: str, columns: int) -> Iterator[str]:
    if facts or so or next_step:
        yield ""
    yield from grounds(facts, so, next_step, columns)


def grounds(facts: Sequence[Fact], so: str, next_step: str, columns: int) -> Iterator[str]:
    """What a verdict rests on and where each fact was read: beside it, or below it where the screen is too narrow for that."""
    width = max((len(fact.text) for fact in facts), default=0)
    beside = width <= FACT_WIDTH and all(2 + LABEL + width + 2 + len(fact.source) <= columns for fact in facts)
    for index, fact in enumerate(facts):
        label = "because" if index == 0 else ""
        if beside:
            yield _labelled(label, f"{fact.text:{width}}  {fact.source}".rstrip())
        else:
            yield from labelled(label, fact.text, columns)
            if fact.source:
                yield from screen.wrapped(_labelled("", f"  {fact.source}"), columns, LABEL + 4)
    if so:
        yield from labelled("so", so, columns)
    if next_step:
        yield from labelled("next", next_step, columns)


def labelled(label: str, text: str, columns: int) -> list[str]:
    return screen.wrapped(_labelled(label, text), columns, LABEL + 2)


def _labelled(label: str, text: str) -> str:
    return f"  {label:{LABEL}}{text}"


def sentence(text: str, columns: int) -> list[str]:
    return screen.wrapped(f"  {text}", columns, 2)


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
        "verdict": "fail" if finding.is_failure else "unknown",
        "title": finding.title,
        "sentence": finding.sentence,
        "count": finding.count,
        "orders": list(finding.orders),
        "because": _facts_data(finding.because),
        "so": finding.so,
        "next": finding.next_step,
        "traceback": list(finding.traceback),
    }


def _result_data(result: Result) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": result.invariant.id,
        "name": result.invariant.name,
        "says": result.invariant.sentence,
        "standing": result.standing.value,
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
    return {
        "kind": shown.kind,
        "sentence": shown.sentence,
        **{name: value for name, value in about.items() if value is not None},
        "because": _facts_data(shown.because),
        "so": shown.so,
        "next": shown.next_step,
    }


def _facts_data(facts: Sequence[Fact]) -> list[dict[str, str]]:
    return [{"fact": fact.text, "source": fact.source} for fact in facts]
