"""labkit exam: histories drawn from a seed, judged one after another, until time is up or one fails."""

import asyncio
import json
import secrets
import time
from typing import Any

from labkit import explanation as explanations
from labkit.checking.histories.exam import PlayedHistory, histories, in_words, shrunk
from labkit.checking.session import session
from labkit.errors import ExitCode
from labkit.pass_fail_unknown import Verdict
from labkit.stack import runtimes, stack_names
from labkit.stack.model import Stack
from labkit.terminal import say, screen
from labkit.workspace.attempt import attempt

COMMAND = "labkit exam"
SHRINK_FOR_S = 60.0


def exam(stack_name: str, *, seconds: float, seed: int | None, as_json: bool) -> ExitCode:
    """Play histories. Exit code 0 if all pass, 1 if one fails, 2 if one could not be judged."""
    stack = runtimes.load_running(stack_name)
    drawn_from = secrets.randbelow(1_000_000) if seed is None else seed
    title = f"Exam on {stack.name}: {seconds:g} s, seed {drawn_from}"
    with attempt(stack, COMMAND, title, as_json=as_json) as (stack, _):
        began = time.monotonic()
        played, wrong = asyncio.run(_examined(stack, drawn_from, seconds, quiet=as_json))
    verdict = Verdict.PASS if wrong is None else wrong.verdict
    again = f"labkit exam --seconds {seconds:g} --seed {drawn_from}{stack_names.named(stack.name)}"
    if as_json:
        say.raw(json.dumps(_as_json(drawn_from, played, wrong, verdict), indent=2, ensure_ascii=False))
        return verdict.exit_code
    if wrong is not None:
        _show(wrong)
    say.line(f"\n{played} histories in {time.monotonic() - began:.0f} s: {verdict.value}. To repeat: {again}")
    return verdict.exit_code


async def _examined(stack: Stack, seed: int, seconds: float, *, quiet: bool) -> tuple[int, PlayedHistory | None]:
    count = 0

    def tell(played: PlayedHistory) -> None:
        nonlocal count
        count += 1
        if not quiet:
            sign = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.UNKNOWN: "?"}[played.verdict]
            say.line(f"  {sign} history {played.number}, {len(played.history.steps)} steps, {played.seconds:.1f} s")

    async with session(stack, COMMAND) as run:
        wrong = await histories(run, seed, seconds, tell)
        if wrong is not None and wrong.verdict is Verdict.FAIL:
            if not quiet:
                say.line("\nIt failed. Looking for fewer steps that fail.")
            wrong = await shrunk(run, wrong, time.monotonic() + SHRINK_FOR_S)
    return count, wrong


def _show(wrong: PlayedHistory) -> None:
    say.line(f"\nHistory {wrong.number}, with {len(wrong.history.steps)} steps:\n")
    for step in in_words(wrong.history):
        say.line(f"  {step}")
    assert wrong.explanation is not None
    say.line()
    for line in explanations.as_lines(wrong.explanation, screen.width()):
        say.line(line)


def _as_json(seed: int, count: int, wrong: PlayedHistory | None, verdict: Verdict) -> dict[str, Any]:
    found: dict[str, Any] = {"verdict": verdict.value, "seed": seed, "histories": count}
    if wrong is not None and wrong.explanation is not None:
        found |= {"history": wrong.number, "steps": in_words(wrong.history), "explanation": explanations.as_data(wrong.explanation)}
    return found
