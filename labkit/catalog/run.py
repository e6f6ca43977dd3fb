"""Running a lab's checks on a stack."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from labkit.catalog.labs import Lab
from labkit.checking.checks import Check, CheckResult
from labkit.errors import ExitCode, UserError

if TYPE_CHECKING:
    from labkit.stack.model import Stack


def chosen(lab: Lab, only: Sequence[str]) -> list[Check]:
    """Return the checks of a lab, or those in `only`. Raises UserError for a check that the lab does not have."""
    checks = lab.checks()
    known = {c.id for c in checks}
    if strange := [c for c in only if c not in known]:
        raise UserError(
            f"Lab {lab.number} has no check {strange[0]}; it has {', '.join(sorted(known))}.",
            next_step=f"labkit lab {lab.number} check",
            exit_code=ExitCode.USAGE,
        )
    return [c for c in checks if not only or c.id in only]


async def judge(
    stack: "Stack",
    lab: Lab,
    checks: Sequence[Check],
    seed: int,
    *,
    begin: Callable[[Check], None] = lambda _: None,
    tell: Callable[[CheckResult], None] = lambda _: None,
    doing: Callable[[str], None] = lambda _: None,
    enough: Callable[[CheckResult], bool] = lambda _: False,
) -> tuple[list[CheckResult], list[str]]:
    """Run the checks, until one result is `enough`. Return the results, and notes about data left by earlier attempts. Raises UserError if
    another run is using the stack."""
    from labkit.checking.schedule import run_checks
    from labkit.checking.session import session
    from labkit.checking.trial import Trial

    folder = stack.source if (stack.source / ".labkit").is_dir() else None
    async with session(stack, f"labkit lab {lab.number} check") as run:
        with Trial(run, seed, folder=folder) as trial:
            trial.say = doing
            recovered = trial.faults.require_recovery
            try:
                outcomes = await run_checks(
                    checks, lab.prepare(trial), trial.meeting, tell=tell, begin=begin, recovered=recovered, enough=enough
                )
            finally:
                await trial.end_shared_work()
            return outcomes, trial.notes
