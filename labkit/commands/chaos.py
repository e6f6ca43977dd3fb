"""labkit chaos: draw faults and load from a seed, judge the run, and shrink a failing schedule. For proof, not for teaching."""

import asyncio
import json
import secrets
import shlex
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit.chaos import schedule as schedules
from labkit.chaos.play import Played, play
from labkit.chaos.schedule import ChaosEvent, Schedule
from labkit.checking.checks import Failed, NotJudged
from labkit.checking.delta_debugging import shrink
from labkit.checking.session import session
from labkit.errors import ExitCode, UserError
from labkit.evidence.collect import collect
from labkit.evidence.collection.model import Scenario
from labkit.faults import components, notes
from labkit.pass_fail_unknown import Verdict
from labkit.stack import runtimes, stack_names
from labkit.stack.model import Stack
from labkit.terminal import say, screen
from labkit.verdict.judge import Judgement, judge
from labkit.verdict.text import as_json as judgement_as_json
from labkit.verdict.text import as_text

SHRINK_TRIES = 24
READY_S = 10.0


@dataclass(frozen=True)
class PlayedSchedule:
    """One schedule, played and judged. `evidence` is the path of the evidence file."""

    schedule: Schedule
    played: Played
    judgement: Judgement
    evidence: Path
    orders: int
    unknown: int
    seconds: float

    @property
    def failed(self) -> bool:
        return self.judgement.verdict is Verdict.FAIL


def chaos(
    stack_name: str,
    *,
    seconds: float,
    seed: int | None,
    rate: float,
    victims: Sequence[str],
    kept: Path | None,
    shrinking: bool,
    as_json: bool,
) -> ExitCode:
    """Play a drawn or a saved schedule and judge it. The exit codes are those of labkit verify."""
    stack = runtimes.load_running(stack_name)
    if strange := [name for name in victims if name not in stack.names]:
        raise stack.no_component(strange[0], f"labkit chaos --victim {stack.services[0]}")
    notes.heal_all_first(stack, "labkit chaos", to_errors=as_json)
    _refuse_unready(stack)
    if kept is not None:
        wanted = schedules.read(kept, stack.profile)
    else:
        wanted = schedules.draw(secrets.randbelow(1_000_000) if seed is None else seed, seconds, rate, stack.profile, victims)
    quiet = as_json
    if not quiet:
        what = f"{wanted.seconds:g} s, {wanted.rate:g} orders/s, {len(wanted.events)} faults, seed {wanted.seed}"
        say.line(f"Chaos on {stack.name}: {what}\n")
    try:
        outcome = _played(stack, wanted, quiet=quiet)
    except UserError as error:
        return _no_verdict(stack, wanted, error, as_json=as_json)
    shorter = _shrunk(stack, outcome, quiet=quiet) if outcome.failed and shrinking and len(wanted.events) > 1 else None
    _tell(stack, outcome, shorter, as_json=as_json)
    return outcome.judgement.verdict.exit_code


def _no_verdict(stack: Stack, wanted: Schedule, error: UserError, *, as_json: bool) -> ExitCode:
    """Report the verdict unknown, with the reason that prevented judging and the command that repeats the seed."""
    again = f"labkit chaos --seconds {wanted.seconds:g} --rate {wanted.rate:g} --seed {wanted.seed}{stack_names.named(stack.name)}"
    if as_json:
        reason = {"verdict": "unknown", "reason": error.message, "next": error.next_step}
        say.raw(json.dumps({**reason, "schedule": asdict(wanted)}, indent=2, ensure_ascii=False))
    else:
        say.line(f"\nUnknown: {error}\nSeed {wanted.seed}; to repeat: {again}")
    return ExitCode.UNKNOWN


def _refuse_unready(stack: Stack) -> None:
    """Raise UserError unless every component is ready: a component that is broken before the first fault proves nothing about faults."""
    runtime = runtimes.of_stack(stack)
    down = [name for name in stack.names if not runtime.runs(name)]
    why = {**components.not_ready(stack, READY_S), **dict.fromkeys(down, "it is not running")}
    if why:
        details = [f"{name}: {reason}" for name, reason in why.items()]
        raise UserError(f"Some components of {stack.name} are not ready.", "labkit up", exit_code=ExitCode.UNKNOWN, details=details)


def _played(stack: Stack, wanted: Schedule, *, quiet: bool) -> PlayedSchedule:
    """Play the schedule and judge what happened to the run's own customers. Raises UserError."""
    begun = time.monotonic()
    folder = stack.directory / "runs"
    folder.mkdir(exist_ok=True)
    evidence = folder / f"chaos-{wanted.seed}-{time.strftime('%H%M%S')}.duckdb"

    async def judged_run() -> tuple[Played, Scenario, int, int]:
        async with session(stack, "labkit chaos") as run:
            try:
                played = await play(run, wanted, tell=lambda line: None if quiet else say.line(line))
            except NotJudged as reason:
                why = reason.explanation
                raise UserError(why.sentence, why.next_step, exit_code=ExitCode.UNKNOWN) from reason
            except Failed as wrong:
                why = wrong.explanation
                details = [f"expected {why.expected}", f"found    {why.found}"]
                raise UserError(why.sentence, why.next_step, exit_code=ExitCode.FAIL, details=details) from wrong
            about = Scenario(requests=run.shop.requests, customers=played.customers, seed=wanted.seed)
            placed = [row for row in run.shop.requests if row["operation"] == "create_order"]
            return played, about, len(placed), sum(row["outcome"] == "unknown" for row in placed)

    played, about, orders, unknown = asyncio.run(judged_run())
    try:
        with closing(collect(stack, evidence, about)) as connection:
            judgement = judge(connection)
    except OSError as error:
        message = f"The evidence could not be collected: {error}."
        raise UserError(message, "labkit status", exit_code=ExitCode.UNKNOWN) from error
    return PlayedSchedule(wanted, played, judgement, evidence, orders, unknown, time.monotonic() - begun)


def _shrunk(stack: Stack, failed: PlayedSchedule, *, quiet: bool) -> PlayedSchedule | None:
    """Return a shorter schedule that also failed, or None if none was found."""
    found: list[PlayedSchedule] = []
    if not quiet:
        say.line(f"\nIt failed. Looking for a shorter schedule that fails, {SHRINK_TRIES} tries at most:")

    def fails(events: Sequence[ChaosEvent]) -> bool:
        try:
            outcome = _played(stack, schedules.only(failed.schedule, events), quiet=True)
        except UserError as error:
            if not quiet:
                say.line(f"  {len(events):2} faults: unknown, {error.message}")
            return False
        if not quiet:
            say.line(f"  {len(events):2} faults, {outcome.schedule.seconds:.0f} s: {outcome.judgement.verdict.value}")
        if outcome.failed:
            found.append(outcome)
        else:
            outcome.evidence.unlink(missing_ok=True)
        return outcome.failed

    events = shrink(failed.schedule.events, fails, tries=SHRINK_TRIES)
    return next((outcome for outcome in reversed(found) if len(outcome.schedule.events) == len(events)), None)


def _tell(stack: Stack, outcome: PlayedSchedule, shorter: PlayedSchedule | None, *, as_json: bool) -> None:
    best = shorter or outcome
    kept: Path | None = None
    if outcome.failed:
        kept = best.evidence.with_suffix(".schedule.json")
        schedules.write(best.schedule, kept)
    elif outcome.judgement.verdict is Verdict.PASS:
        outcome.evidence.unlink(missing_ok=True)
    if as_json:
        found = {
            "verdict": outcome.judgement.verdict.value,
            "schedule": asdict(outcome.schedule),
            "orders": outcome.orders,
            "unknown_outcomes": outcome.unknown,
            "faults": [{"fault": str(event), "at": event.at, "became": became} for event, became in outcome.played.events],
            "fired": outcome.played.fired,
            "judgement": json.loads(judgement_as_json(outcome.judgement)),
            "evidence": str(best.evidence) if best.evidence.exists() else None,
            "shrunk": asdict(shorter.schedule) if shorter else None,
            "schedule_file": str(kept) if kept else None,
        }
        say.raw(json.dumps(found, indent=2, ensure_ascii=False))
        return
    say.line(f"\n{outcome.orders} orders, {outcome.unknown} of them without an answer; {outcome.played.fired} faults fired.\n")
    say.line(as_text(best.judgement, screen.width()))
    if shorter is not None and not shorter.schedule.events:
        say.line("\nIt fails under the load alone, without any fault.")
    elif shorter is not None:
        say.line(f"\nA shorter schedule that still fails ({len(shorter.schedule.events)} of {len(outcome.schedule.events)} faults):")
        for event in shorter.schedule.events:
            say.line(f"  {event.at:5.1f} s  {event}, for {event.lasts:g} s")
    name = "" if stack.name == "default" else f" --name {stack.name}"
    if kept is not None:
        say.line(f"\nEvidence: labkit verify --evidence {shlex.quote(str(best.evidence))}")
        say.line(f"Again:    labkit chaos --schedule {shlex.quote(str(kept))}{name}")
    elif outcome.judgement.verdict is Verdict.UNKNOWN:
        say.line(f"\nEvidence: labkit verify --evidence {shlex.quote(str(outcome.evidence))}")
    say.line(f"Seed {outcome.schedule.seed}; took {outcome.seconds:.0f} s.")
