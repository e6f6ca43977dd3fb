"""Every command at 60, 80 and 120 columns: no line is longer than the terminal, so no table breaks within a word."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from labkit.cli import app, run
from tests.running import ROOT, Labkit
from tests.workspace.kit import Learner

WIDTHS = (60, 80, 120)
ORDER = "{order}"  # an order that was placed before
COMMANDS: tuple[tuple[str, ...], ...] = (
    *(("up",), ("status",), ("labs",), ("report",), ("doctor",), ("init", "inner"), ("--version",)),
    *(("order", "12.34"), ("order", "99.00"), ("order", "1.00", "--customer", "999999"), ("order", "a"), ("check", "1.3")),
    *(("trace", "order", ORDER), ("trace", "order", ORDER, "--diagram"), ("trace", "customer", "1"), ("trace", "order", "999999")),
    *(("events",), ("events", "--unhandled"), ("topics",), ("topics", "--by-key"), ("logs", "orders"), ("logs", "-n", "3")),
    ("sql", "select id, customer_id, total, state from orders"),
    *(("sql", "select * from records"), ("sql", "select * from outbox"), ("sql", "--schema"), ("sql", "selec")),
    *(("lab", "2"), ("lab", "2", "read", "2.3"), ("lab", "2", "predict", "2.2", "--answer", "1"), ("lab", "2", "inject", "2.2")),
    *(("fault", "status"), ("heal", "--all"), ("fault", "list"), ("fault", "gate", "orders"), ("status",), ("heal",)),
    *(
        ("lab", "2", "check", "2.3"),
        ("lab", "2", "hint", "2.3"),
        ("lab", "2", "hint", "2.3"),
        ("lab", "9"),
        ("lab", "2", "check", "2.9"),
    ),
    *(("lab", "2", "restore", "--list"), ("lab", "2", "start"), ("guide", "2", "--to", "guide.html"), ("verify",)),
    *(("load", "--seconds", "0.5", "--clients", "2", "--customers", "2"), ("restart", "orders"), ("reset", "--yes")),
)
LONG = (
    *(("lab", "2", "check", "2.3"), ("order", "1.00", "--customer", "999999"), ("verify",)),
    *(c for c in COMMANDS if c[0] == "load"),
)
"""Commands that take seconds run only on the narrowest screen."""


@pytest.fixture(scope="module")
def seat(labkit_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Learner]:
    labkit = Labkit(labkit_home, "screens")
    folder = tmp_path_factory.mktemp("screens")
    Learner(labkit, ROOT, folder)("init", "workshop")
    found = Learner(labkit, ROOT, folder / "workshop")
    try:
        found("lab", "2", "start", "--yes")
        yield found
    finally:
        labkit("down", "--data")


def too_long(text: str, columns: int) -> list[str]:
    """The lines that should have been broken. A single path or address cannot be."""
    return [line for line in text.splitlines() if len(line) > columns and _longest_word(line) <= columns]


def _longest_word(line: str) -> int:
    indent = len(line) - len(line.lstrip())
    return indent + max(len(word) for word in line.split())


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.timeout(600)
def test_no_line_is_longer_than_the_terminal(
    seat: Learner, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs in this process, which is faster than starting a hundred others."""
    for name, value in seat.labkit._environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.chdir(seat.folder)
    run(["order", "12.34", "--json"])
    order = str(json.loads(capsys.readouterr().out)["order"])
    wrong = {}
    for command in COMMANDS:
        if command in LONG and columns != min(WIDTHS):
            continue
        words = [word.replace(ORDER, order) for word in command]
        code = run(words)
        shown = capsys.readouterr()
        assert code in (0, 1, 2, 254), f"{words}: {shown.err}"
        if lines := too_long(shown.out + shown.err, columns):
            wrong[" ".join(words)] = lines
    assert wrong == {}


def helps(command: Any, name: str, columns: int, above: Any = None) -> Iterator[tuple[str, str]]:
    """The help of a command and its subcommands: each path with its help at this width."""
    context = typer.Context(command, info_name=name, parent=above, terminal_width=columns)
    yield context.command_path, command.get_help(context)
    for inner in command.list_commands(context) if hasattr(command, "list_commands") else ():
        yield from helps(command.get_command(context, inner), inner, columns, context)


@pytest.mark.parametrize("columns", WIDTHS)
def test_every_help_page_fits_and_has_an_example(columns: int) -> None:
    pages = dict(helps(get_command(app), "labkit", columns))
    assert {path: lines for path, page in pages.items() if (lines := too_long(page, columns))} == {}
    assert [path for path, page in pages.items() if "\n  Example: labkit " not in page and path != "labkit"] == []
