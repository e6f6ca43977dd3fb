"""A learner's prediction before a failure, and its comparison with the result."""

import sys
import time

from labkit.catalog.labs import Lab, Step, find_lab
from labkit.catalog.schema import Prediction
from labkit.errors import ExitCode, UserError
from labkit.terminal import say, screen
from labkit.workspace import current, progress
from labkit.workspace.progress import LabRecord, Predicted, Progress


def show(question: Prediction) -> None:
    say.line(screen.paragraph(question.question) + "\n")
    for n, choice in enumerate(question.choices, 1):
        say.line(screen.paragraph(choice, f"  {n}  "))
    say.line()


def asked(count: int, command: str) -> int:
    """Ask for an answer and return its number, counted from 1. Raises UserError without a terminal."""
    if not sys.stdin.isatty():
        raise UserError("Without a terminal, labkit cannot ask.", f"{command} --answer NUMBER", exit_code=ExitCode.USAGE)
    while True:
        try:
            text = input(f"Your answer, 1 to {count}: ").strip()
        except EOFError:
            raise KeyboardInterrupt from None
        if text.isdecimal() and 0 < int(text) <= count:
            return int(text)


def compare(lab: Lab, step: Step, record: LabRecord) -> None:
    """Print the prediction next to what really happens."""
    question, predicted = step.predict, record.predictions.get(step.id)
    if question is None:
        return
    right = question.choices[question.answer].strip()
    if predicted is None:
        say.line(f"The question was: {question.question.strip()}")
        say.line(screen.paragraph(right, "  it is       "))
    elif not 0 <= predicted.choice < len(question.choices):
        say.line(screen.paragraph(right, "  it is       "))
    else:
        say.line(screen.paragraph(question.choices[predicted.choice], "  predicted   "))
        say.line(screen.paragraph(f"{right}{', as you predicted' if predicted.choice == question.answer else ''}", "  it is       "))
    say.line(screen.paragraph(question.because, "  because     ") + "\n")


def compare_after_check(lab: Lab, record: LabRecord, passed: list[str]) -> None:
    """Compare the predictions of steps that play no failure. Their checks show whether the prediction is right."""
    for step in lab.steps:
        if step.id in passed and step.id in record.predictions and not step.inject:
            say.line(f"\n{step.id}  {step.title}")
            compare(lab, step, record)


def predict(number: int, step_id: str | None, *, answer: int | None) -> ExitCode:
    """Ask, and record the answer. The right answer stays hidden until the failure has been played or the check has passed."""
    lab, space = find_lab(number), current.workspace()
    record = progress.load(space).lab(number)
    step = lab.step(step_id) if step_id else _next_question(lab, record)
    if step is None or step.predict is None:
        which = f"Step {step.id}" if step else f"Lab {number}"
        say.line(f"{which} has no{' more' if step is None and record.predictions else ''} questions.")
        say.line(f"Next: labkit lab {number}")
        return ExitCode.OK
    question = step.predict
    show(question)
    chosen = answer if answer is not None else asked(len(question.choices), f"labkit lab {number} predict {step.id}")
    if not 0 < chosen <= len(question.choices):
        message = f"There is no answer {chosen}; choose 1 to {len(question.choices)}."
        raise UserError(message, f"labkit lab {number} predict {step.id} --answer 1", exit_code=ExitCode.USAGE)
    predicted = Predicted(chosen - 1, time.time(), chosen - 1 == question.answer)
    step_of_record = step.id

    def keep(found: Progress) -> None:
        found.lab(number).predictions[step_of_record] = predicted

    progress.change(space, keep)
    say.line(f"Your prediction: {question.choices[chosen - 1]}")
    verb = "inject" if step.inject else "check"
    say.line(f"Next: labkit lab {number} {verb} {step.id}, which shows whether you are right")
    return ExitCode.OK


def _next_question(lab: Lab, record: LabRecord) -> Step | None:
    return next((step for step in lab.steps if step.predict and step.id not in record.predictions), None)
