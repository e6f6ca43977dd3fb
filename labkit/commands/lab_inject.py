"""labkit lab N inject: play a step's failure on the learner's code. Nothing is judged, and the state stays for inspection."""

import asyncio
import secrets
import string
import time
from collections.abc import Mapping
from typing import Any

from labkit.catalog.labs import Lab, Step, find_lab
from labkit.checking.checks import Failed, NotJudged
from labkit.checking.session import session
from labkit.checking.trial import Trial
from labkit.errors import ExitCode, UserError
from labkit.faults import engine, notes
from labkit.faults.ledger import BY_HAND, Ledger, this_process
from labkit.stack import runtimes, state
from labkit.stack.model import Stack
from labkit.terminal import say, screen
from labkit.workspace import current, lab_status, predictions, progress
from labkit.workspace.edits import take_over
from labkit.workspace.progress import Progress


def inject(stack_name: str, number: int, step_id: str | None, *, seed: int | None) -> ExitCode:
    """Play the failure. If the step has a prediction that is still open and the user can be asked, ask for it first."""
    lab, space = find_lab(number), current.workspace()
    progress.refuse_unstarted(space, number)
    step = _step(lab, step_id, lab_status.of_lab(lab, progress.load(space)))
    stack = runtimes.load_running(stack_name)
    if step.predict and step.id not in progress.load(space).lab(number).predictions and say.can_ask():
        predictions.predict(number, step.id, answer=None)
        say.line()
    command = f"labkit lab {number} inject {step.id}"
    notes.heal_all_first(stack, command)
    if restarted := take_over(stack):
        say.line(f"Restarted {', '.join(restarted)} with your files.")
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    say.progress(f"Playing {step.id} …")
    try:
        found = asyncio.run(_play(state.load(stack_name), lab, step, command, seed))
    finally:
        say.progress("")
    injected = step.id

    def note(known: Progress) -> None:
        known.lab(number).injected[injected] = time.time()

    record = progress.change(space, note).lab(number)
    _tell(lab, step, stack, found, seed)
    predictions.compare(lab, step, record)
    then = f"labkit lab {number} check {step.id}"
    fix = "" if step.id in lab.given else ", fix it"
    say.line(f"Next: labkit lab {number} read {step.id}{fix}, then {then}")
    return ExitCode.OK


def _step(lab: Lab, step_id: str | None, now: lab_status.LabStatus) -> Step:
    """Return the requested step, or the first open step that has a failure to play. Raises UserError."""
    able = [step for step in lab.steps if step.inject]
    if not able:
        raise UserError(f"Lab {lab.number} has no failure to play.", f"labkit lab {lab.number}", exit_code=ExitCode.USAGE)
    if step_id is None:
        return next((step for step in able if now.checks.get(step.id) == lab_status.OPEN), able[0])
    step = lab.step(step_id)
    if not step.inject:
        known = ", ".join(step.id for step in able)
        message = f"Step {step_id} has no failure to play; in lab {lab.number} these have: {known}."
        raise UserError(message, f"labkit lab {lab.number} inject {able[0].id}", exit_code=ExitCode.USAGE)
    return step


async def _play(stack: Stack, lab: Lab, step: Step, command: str, seed: int) -> dict[str, Any]:
    """Return the result of the lab's function. Its faults stay, as if set by hand, but are healed if the function does not finish."""
    owner = this_process(BY_HAND, command)
    try:
        async with session(stack, command, owner=owner, faults_stay=True) as run:
            with Trial(run, seed) as trial:
                found = await lab.injection(step)(trial)
    except (Failed, NotJudged) as error:
        why = error.explanation
        raise UserError(f"The failure could not be played to its end: {why.sentence}", why.next_step) from None
    return {"gateway": stack.url("gateway"), **(found or {})}


def _tell(lab: Lab, step: Step, stack: Stack, found: Mapping[str, object], seed: int) -> None:
    say.line(f"Lab {lab.number} · {step.id} {step.title}: played (seed {seed}), and nothing was judged.\n")
    if isinstance(said := found.get("said"), str):
        say.line(f"{screen.paragraph(said)}\n")
    held = Ledger(stack.directory).open()
    for fault in held:
        if engine.left_behind_one(stack, fault):
            continue
        say.line(screen.paragraph(f"{fault.said}; until labkit heal {fault.id}, or the next check", "  held        "))
    for command in step.look:
        say.line(screen.paragraph(filled(command, found), "  look        "))
    if held or step.look:
        say.line()


def filled(command: str, found: Mapping[str, object]) -> str:
    """Fill `labkit trace order {order}` with the order's number. A name that the lab did not return stays visible as written."""
    names = [name for _, name, _, _ in string.Formatter().parse(command) if name]
    for name in names:
        if name in found:
            command = command.replace(f"{{{name}}}", str(found[name]))
    return command
