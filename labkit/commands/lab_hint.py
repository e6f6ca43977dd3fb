"""labkit lab N hint: hints for a step."""

from labkit.catalog.labs import find_lab
from labkit.errors import ExitCode
from labkit.terminal import say, screen
from labkit.workspace import current, lab_status, progress
from labkit.workspace.progress import Progress


def hint(number: int, step_id: str | None) -> ExitCode:
    """Show the step's next hint and the earlier ones."""
    lab, space = find_lab(number), current.workspace()
    now = lab_status.of_lab(lab, progress.load(space))
    step = lab.step(step_id) if step_id else now.open_step
    if step is None:
        say.line(f"Every step of lab {number} is passed." if lab.steps else f"Lab {number} has no hints.")
        say.line("Next: labkit labs")
        return ExitCode.OK
    hints = lab.hints.get(step.id, [])
    if not hints:
        say.line(f"Step {step.id} has no hints.")
        say.line(f"Next: labkit lab {number} read {step.id}")
        return ExitCode.OK
    shown_step = step
    level = min(now.record.hints.get(step.id, 0) + 1, len(hints))

    def count(found: Progress) -> None:
        found.lab(number).hints[shown_step.id] = level

    progress.change(space, count)
    say.line(f"{step.id}  {step.title}\n")
    for n, text in enumerate(hints[:level], 1):
        say.line(screen.paragraph(text, f"  {n}  "))
    last = level == len(hints)
    say.line("\nThat was the last one." if last else f"\nHint {level} of {len(hints)}.")
    more = f"labkit lab {number} solution --diff" if last else f"labkit lab {number} hint {step.id} again"
    say.line(f"Next: labkit lab {number} check {step.id}, or {more}")
    return ExitCode.OK
