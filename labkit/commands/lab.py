"""labkit lab N check."""

import json
import secrets
from typing import Any

from labkit.errors import ExitCode, UserError
from labkit.lab.catalog import Lab, find_lab
from labkit.lab.check import Check, Outcome, Verdict, run_checks, worst

MARKS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.UNKNOWN: "?"}
EXIT_CODES = {Verdict.PASS: ExitCode.OK, Verdict.FAIL: ExitCode.FAIL, Verdict.UNKNOWN: ExitCode.UNKNOWN}


def check(stack_name: str, number: int, only: list[str], *, as_json: bool, seed: int | None) -> ExitCode:
    """Run the checks of a lab against the running stack; `only` names some of them."""
    from labkit.faults import told
    from labkit.lab.application import Application
    from labkit.stack import state

    lab = find_lab(number)
    checks = _chosen(lab, only)
    stack = state.load(stack_name)
    told.heal_all_first(stack, f"labkit lab {number} check", to_errors=as_json)
    app = Application(stack)
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    width = max(len(c.title) for c in checks)
    if not as_json:
        print(f"Lab {lab.number} · {lab.title}\n")

    def tell(outcome: Outcome) -> None:
        if not as_json:
            c = outcome.check
            print(f"  {MARKS[outcome.verdict]} {c.id}  {c.title:{width}}  {outcome.seconds:5.1f} s", flush=True)

    outcomes = run_checks(checks, lab.prepare(app, seed), tell=tell)
    verdict = worst(outcomes)
    if as_json:
        print(json.dumps({"lab": number, "seed": seed, "verdict": verdict.value, "checks": [_as_json(o) for o in outcomes]}, indent=2))
    else:
        _explain(outcomes, number, seed)
    return EXIT_CODES[verdict]


def _chosen(lab: Lab, only: list[str]) -> list[Check]:
    checks = lab.checks()
    known = {c.id for c in checks}
    if strange := [c for c in only if c not in known]:
        raise UserError(
            f"Lab {lab.number} has no check {strange[0]}; it has {', '.join(sorted(known))}.", next_step=f"labkit lab {lab.number} check"
        )
    return [c for c in checks if not only or c.id in only]


def _explain(outcomes: list[Outcome], number: int, seed: int) -> None:
    for outcome in outcomes:
        if outcome.verdict is Verdict.PASS:
            continue
        print(f"\n{MARKS[outcome.verdict]} {outcome.check.id}  {outcome.check.title}\n\n  {outcome.sentence}\n")
        for label, text in (("expected", outcome.expected), ("found", outcome.found), ("next", outcome.next_step)):
            if text:
                print(f"  {label:9}{text}")
    words = {Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.UNKNOWN: "unknown"}
    counts = [(sum(o.verdict is verdict for o in outcomes), word) for verdict, word in words.items()]
    seconds = sum(o.seconds for o in outcomes)
    print(f"\n{', '.join(f'{n} {word}' for n, word in counts if n)} in {seconds:.1f} s (seed {seed}).")


def _as_json(outcome: Outcome) -> dict[str, Any]:
    about = {"id": outcome.check.id, "title": outcome.check.title, "verdict": outcome.verdict.value, "seconds": round(outcome.seconds, 3)}
    details = {k: getattr(outcome, k) for k in ("sentence", "expected", "found", "next_step")}
    return {**about, **{k: v for k, v in details.items() if v}}
