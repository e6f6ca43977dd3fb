"""labkit verify: judge the entire stack since its mark, or an evidence file from elsewhere."""

import shutil
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import ExitCode, UserError
from labkit.terminal import say, screen
from labkit.verdict.judge import Judgement, judge
from labkit.verdict.text import as_json, as_text

if TYPE_CHECKING:
    from labkit.stack.model import Stack

QUIET = 1.0  # seconds before progress is shown
KEPT = "evidence.duckdb"


def verify(stack_name: str, *, json_wanted: bool, html: Path | None, evidence: Path | None, save: Path | None) -> ExitCode:
    """Exit code 0 pass, 1 fail, 2 unknown."""
    with closing(_opened(stack_name, evidence, save)) as connection:
        judgement = _judged(connection, evidence)
        _show(judgement, json_wanted)
        if html is not None:
            from labkit.verdict.page import write_page

            write_page(html, connection, judgement)
            say.problem(f"Page: {html}")
    if evidence is None and save is not None:
        say.problem(f"Evidence: {save}")
    return judgement.verdict.exit_code


def _judged(connection: Any, evidence: Path | None) -> Judgement:
    """Judge the evidence. Raises UserError if a file from elsewhere holds data that labkit could not have collected."""
    import duckdb

    try:
        return judge(connection)
    except (duckdb.Error, ValueError, TypeError, ArithmeticError) as error:
        if evidence is None:
            raise
        message = f"{evidence} cannot be judged: {next(iter(str(error).splitlines()), type(error).__name__)}"
        raise UserError(message, "labkit verify --save FILE", exit_code=ExitCode.UNKNOWN) from error


def _opened(stack_name: str, evidence: Path | None, save: Path | None) -> Any:
    """Open the evidence to judge: an existing file, or the stack's current data. Raises UserError."""
    from labkit.evidence import database

    if evidence is not None:
        connection = database.open_file(evidence)
        if save is not None:
            shutil.copyfile(evidence, save)
        return connection
    from labkit.faults import notes
    from labkit.stack import state

    stack = state.load(stack_name)
    for line in notes.notes(stack):
        say.problem(line)
    try:
        return _collected(stack, save or stack.directory / KEPT)
    except OSError as error:
        raise UserError(f"The evidence could not be collected: {error}.", "labkit status", exit_code=ExitCode.UNKNOWN) from error


def _collected(stack: "Stack", path: Path) -> Any:
    from labkit.evidence.collect import collect

    with ProgressLine() as progress:
        return collect(stack, path, tell=progress.tell)


class ProgressLine:
    """Shows the current activity on standard error once it takes longer than a second. On a terminal, each message replaces the last."""

    def __init__(self) -> None:
        self._begun = self._told = time.monotonic()
        self._shown = ""

    def tell(self, what: str) -> None:
        now = time.monotonic()
        live = sys.stderr.isatty()
        if now - self._begun < QUIET or what == self._shown or (not live and now - self._told < QUIET):
            return
        self._told, self._shown = now, what
        if live:
            say.progress(f"  {what}")
        else:
            say.problem(f"  {what}")

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            say.progress("")


def _show(judgement: Judgement, json_wanted: bool) -> None:
    if json_wanted:
        say.raw(as_json(judgement))
    else:
        say.line(as_text(judgement, screen.width()))
