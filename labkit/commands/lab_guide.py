"""labkit lab N [read] and labkit lab N tour: the guide and the code, in the terminal."""

import sys
from pathlib import Path
from typing import Any

from labkit import paths, say, screen
from labkit.errors import ExitCode, UserError
from labkit.lab import guide, next_step, progress, standing, workspace
from labkit.lab.catalog import Lab, Stop, find_lab
from labkit.lab.standing import Standing

AROUND = 6  # lines of code after an anchor
MARKS = {progress.PASSED: "✓", progress.AFTER_SOLUTION: "✓", progress.SKIPPED: "»", standing.GIVEN: "·", standing.OPEN: " "}


def read(number: int, step: str | None) -> ExitCode:
    """All of the guide, on a terminal one section at a time, beginning with the first step that is open."""
    lab = find_lab(number)
    now = standing.of_lab(lab, progress.load(workspace.find()))
    if step is not None:
        _render(guide.section_of(lab, step).text)
        _next_of(now, step)
        return ExitCode.OK
    say.line(f"Lab {lab.number} · {lab.title} ({lab.minutes} min)")
    for pattern in lab.patterns:
        say.line(f"{pattern.name}: {pattern.url}")
    say.line()
    sections = guide.sections(lab)
    if say.can_ask():
        _one_by_one(sections, now)
    else:
        for section in sections:
            _render(section.text)
            say.line()
    say.line(f"Next: {next_step.of_lab(now, has_read=True)}")
    return ExitCode.OK


def _one_by_one(sections: list[guide.Section], now: Standing) -> None:
    """ENTER goes on, q ends, a number goes to that section."""
    at = _first_to_read(sections, now)
    while at < len(sections):
        _render(sections[at].text)
        listed = "  ".join(f"{_mark(section, now)}{n}" for n, section in enumerate(sections, 1))
        try:
            answer = (
                input(f"\n{listed}\nSection {at + 1} of {len(sections)}. ENTER: the next, a number: that one, q: enough ").strip().lower()
            )
        except EOFError:
            return
        say.line()
        if answer.startswith("q"):
            return
        at = int(answer) - 1 if answer.isdecimal() and 0 < int(answer) <= len(sections) else at + 1


def _first_to_read(sections: list[guide.Section], now: Standing) -> int:
    step = now.open_step
    begun = any(state in (progress.PASSED, progress.AFTER_SOLUTION) for state in now.checks.values())
    if step is None or not begun:
        return 0
    return next((n for n, section in enumerate(sections) if step.id in section.ids), 0)


def _mark(section: guide.Section, now: Standing) -> str:
    states = [now.checks.get(check, standing.OPEN) for check in section.ids]
    return "✓" if states and all(state in (progress.PASSED, progress.AFTER_SOLUTION) for state in states) else ""


def _render(text: str) -> None:
    """As it is meant to look in this terminal; elsewhere without colours."""
    import io

    from rich.console import Console
    from rich.markdown import Markdown

    terminal = say.on_terminal()
    console = Console(width=min(screen.width(), screen.READABLE), file=io.StringIO() if not terminal else sys.stdout, highlight=False)
    parsed: Any = Markdown(say.plain(text), code_theme="ansi_dark", hyperlinks=terminal)
    console.print(parsed)
    if isinstance(console.file, io.StringIO):
        for line in console.file.getvalue().rstrip().splitlines():
            say.line(line.rstrip())


def _next_of(now: Standing, step: str) -> None:
    say.line(f"\nNext: {next_step.of_step(now, now.lab.step(step), has_read=True)}")


def tour(number: int) -> ExitCode:
    """Each stop as file:line, the code there, and what to see in it."""
    lab, space = find_lab(number), workspace.find()
    if not lab.tour:
        say.line(f"Lab {number} has no tour.")
        say.line(f"Next: labkit lab {number}")
        return ExitCode.OK
    for n, stop in enumerate(lab.tour, 1):
        path, line, lines = _place(lab, stop, space.folder if space else None)
        say.line(f"{n} of {len(lab.tour)}  {_shown(path)}:{line}\n")
        for offset, code in enumerate(lines[line - 1 : line - 1 + AROUND]):
            say.raw(f"  {line + offset:4}  {code}".rstrip())
        say.line(f"\n{screen.paragraph(stop.say)}\n")
        if n < len(lab.tour) and say.can_ask():
            try:
                if input("ENTER: the next stop, q: enough ").strip().lower().startswith("q"):
                    break
            except EOFError:
                break
            say.line()
    say.line(f"Next: labkit lab {number}")
    return ExitCode.OK


def _place(lab: Lab, stop: Stop, folder: Path | None) -> tuple[Path, int, list[str]]:
    """Where the anchor stands: in the learner's file, or, when it was edited away there, in the one that it came from."""
    places = [folder] if folder else []
    for root in (*places, lab.starter, paths.content()):
        path = root / stop.file
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeError):
            continue
        found = [n for n, text in enumerate(lines, 1) if stop.anchor in text]
        if len(found) == 1:
            return path, found[0], lines
    message = f"The tour of lab {lab.number} does not find {stop.anchor!r} in {stop.file}."
    raise UserError(message, f"labkit lab {lab.number} restore, or go on by yourself: labkit lab {lab.number}")


def _shown(path: Path) -> Path:
    """From the working directory, as terminals and editors open it on a click."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
