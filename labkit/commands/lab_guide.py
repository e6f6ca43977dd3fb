"""labkit lab N [read] and labkit lab N tour: the guide and the code, in the terminal."""

import re
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.catalog import guide
from labkit.catalog.labs import Lab, Stop, find_lab
from labkit.errors import ExitCode, UserError
from labkit.terminal import say, screen
from labkit.workspace import lab_status, learner_folder, next_step, progress
from labkit.workspace.lab_status import LabStatus
from labkit.workspace.learner_folder import Workspace
from labkit.workspace.progress import Progress

AROUND = 6  # lines of code shown from an anchor on
_BLANK = re.compile(r"^(?:\s|\x1b\[[\d;]*m)+$|\s+$")  # invisible text at the end of a line, and lines that consist only of it
MARKS = {progress.PASSED: "✓", progress.AFTER_SOLUTION: "✓", progress.SKIPPED: "»", lab_status.GIVEN: "·", lab_status.OPEN: " "}


def read(number: int, step: str | None) -> ExitCode:
    """Print the guide. On a terminal, show one section at a time and start at the section read last."""
    lab, space = find_lab(number), learner_folder.find()
    now = lab_status.of_lab(lab, progress.load(space))
    if step is not None:
        with say.paged():
            for line in _rendered(guide.section_of(lab, step).text):
                say.styled(line)
        _next_of(now, step)
        return ExitCode.OK
    sections = guide.sections(lab)
    if say.can_ask():
        _one_by_one(sections, now, space)
    else:
        for line in _opening(lab):
            say.line(line)
        for section in sections:
            for line in _rendered(section.text):
                say.styled(line)
            say.line()
    say.line(f"Next: {next_step.of_lab(now, has_read=True)}")
    return ExitCode.OK


def _opening(lab: Lab) -> list[str]:
    patterns = [f"{pattern.name}: {pattern.url}" for pattern in lab.patterns]
    return [f"Lab {lab.number} · {lab.title} ({lab.minutes} min)", *patterns, ""]


def _one_by_one(sections: list[guide.Section], now: LabStatus, space: Workspace | None) -> None:
    """Show sections until the last one is read or the reader quits. Remembers the reader's place."""
    at: int | None = _first_to_read(sections, now)
    while at is not None and at < len(sections):
        _keep_place(space, now.lab.number, at)
        opening = screen.fitted("\n".join(_opening(now.lab)), screen.width()).split("\n") if at == 0 else []
        if not _shown_in_pages([*opening, *_rendered(sections[at].text)]):
            return
        at = _asked_where(sections, now, at)
        say.line()


def _shown_in_pages(lines: list[str]) -> bool:
    """Show one screen at a time, so that nothing scrolls away. Return False if the reader quits."""
    room = screen.height() - 3
    for begin in range(0, len(lines), room):
        for line in lines[begin : begin + room]:
            say.styled(line)
        if begin + room < len(lines) and _typed("Enter: more · q: quit ").startswith("q"):
            return False
    return True


def _asked_where(sections: list[guide.Section], now: LabStatus, at: int) -> int | None:
    """Return the section to show next, or None if the reader quits."""
    listed = "  ".join(f"{_mark(section, now)}{'/'.join(section.ids)}" for section in sections if section.ids)
    say.line(f"\n{listed}")
    example = next((section.ids[0] for section in sections[at + 1 :] if section.ids), "")
    going = f" · {example}: go to step {example}" if example else ""
    while True:
        answer = _typed(f"Section {at + 1} of {len(sections)}. Enter: next · b: back{going} · q: quit ")
        if answer in ("q", "quit"):
            return None
        if answer == "":
            return at + 1
        if answer in ("b", "back"):
            return max(0, at - 1)
        if answer.isdecimal() and 0 < int(answer) <= len(sections):
            return int(answer) - 1
        found = next((n for n, section in enumerate(sections) if answer in section.ids), None)
        if found is not None:
            return found
        say.line(f"There is no step {answer!r} in this guide.")


def _typed(prompt: str) -> str:
    try:
        return input(prompt).strip().lower()
    except EOFError:
        say.line()
        return "q"


def _keep_place(space: Workspace | None, number: int, at: int) -> None:
    def keep(found: Progress) -> None:
        found.lab(number).place = at

    if space is not None:
        progress.change(space, keep)


def _first_to_read(sections: list[guide.Section], now: LabStatus) -> int:
    """Return the section read last, or the section of the next step once its predecessor's check has passed."""
    step = now.next_step
    next_one = next((n for n, section in enumerate(sections) if step and step.id in section.ids), 0)
    begun = any(now.checks[check] != lab_status.OPEN and record.tries for check, record in now.record.checks.items() if check in now.checks)
    return min(max(now.record.place, next_one if begun else 0), len(sections) - 1)


def _mark(section: guide.Section, now: LabStatus) -> str:
    states = [now.checks.get(check, lab_status.OPEN) for check in section.ids]
    return "✓" if states and all(state in (progress.PASSED, progress.AFTER_SOLUTION) for state in states) else ""


def _rendered(text: str) -> list[str]:
    """Return the lines as rendered for this screen. Colours appear only on a terminal that has them."""
    import io

    from rich.console import Console
    from rich.markdown import Markdown
    from rich.theme import Theme

    terminal, colours = say.on_terminal(), screen.has_colours()
    width = min(screen.width(), screen.READABLE)
    weights = Theme({"markdown.code": "bold", "markdown.h1": "bold", "markdown.h2": "bold underline"})  # for light and dark screens
    console = Console(width=width, file=io.StringIO(), highlight=False, force_terminal=colours, no_color=not colours, theme=weights)
    parsed: Any = Markdown(say.plain(text), code_theme="ansi_dark", hyperlinks=terminal and colours)
    console.print(parsed)
    assert isinstance(console.file, io.StringIO)
    lines = [_BLANK.sub("", line) for line in console.file.getvalue().rstrip().splitlines()]
    return [line for n, line in enumerate(lines) if line or (n and lines[n - 1])]  # on a screen of 24 lines one empty line is enough


def _next_of(now: LabStatus, check: str) -> None:
    step = next((step for step in now.lab.steps if step.id == check), None)  # a section may belong to a check without a step
    following = next_step.of_step(now, step, has_read=True) if step else f"labkit lab {now.lab.number} check {check}"
    say.line(f"\nNext: {following}")


def tour(number: int) -> ExitCode:
    """Print each stop as file:line, with the code there and what to notice in it."""
    lab, space = find_lab(number), learner_folder.find()
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
            if _typed("Enter: the next stop · q: quit ").startswith("q"):
                break
            say.line()
    say.line(f"Next: labkit lab {number}")
    return ExitCode.OK


def _place(lab: Lab, stop: Stop, folder: Path | None) -> tuple[Path, int, list[str]]:
    """Return the file, line number and lines of the anchor. If the learner has edited the anchor away, use the original file."""
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
    message = f"The tour of lab {lab.number} cannot find {stop.anchor!r} in {stop.file}."
    raise UserError(message, f"labkit lab {lab.number} restore, or continue without the tour: labkit lab {lab.number}")


def _shown(path: Path) -> Path:
    """Return the path relative to the working directory, which terminals and editors can open on a click."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
