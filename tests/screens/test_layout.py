"""The layout of text on a screen: long text continues under its own column, words are not broken, and marks have their colours."""

from collections.abc import Callable

import pytest

from labkit.terminal import say, screen
from labkit.trace import render
from labkit.trace.model import Hop, HopMark, Story


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("short", ["short"]),
        ("  ✓ 2.3  Cancelling an order frees its credit", ["  ✓ 2.3  Cancelling an order", "         frees its credit"]),
        ("Next: labkit lab 1 check 1.2, or hint", ["Next: labkit lab 1 check 1.2,", "      or hint"]),
        ("  because  order 9 became CANCELLED by hand", ["  because  order 9 became", "           CANCELLED by hand"]),
        ("    plain words that go on and on for long", ["    plain words that go on and", "    on for long"]),
        ("http://127.0.0.1:8081/swagger-ui/index.html is it", ["http://127.0.0.1:8081/swagger-ui/index.html", "is it"]),
    ],
)
def test_a_line_goes_on_under_its_own_text(line: str, parts: list[str]) -> None:
    assert screen.fitted(line, 30).split("\n") == parts


def test_a_cell_goes_on_in_its_own_column() -> None:
    shown = list(screen.row([("✓ 1.7", 5), ("An order is taken while customers is down", 22), ("1.8 s", 7), ("given", 5)]))
    assert shown == ["  ✓ 1.7  An order is taken       1.8 s    given", "         while customers is", "         down"]


@pytest.mark.parametrize(("columns", "width"), [("60", 60), ("80", 80), ("120", 120), ("20", 60), ("", 110), ("many", 110), ("0", 110)])
def test_columns_says_how_wide_it_is_and_60_is_the_least(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert screen.width() == width


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "\x1b[32m✓\x1b[0m fine"),
        ({"NO_COLOR": "1"}, "✓ fine"),
        ({"TERM": "dumb"}, "✓ fine"),
        ({"NO_COLOR": ""}, "\x1b[32m✓\x1b[0m fine"),
    ],
)
def test_marks_have_colours_where_there_are_colours(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    say.line("✓ fine")
    assert capsys.readouterr().out == f"{expected}\n"


HOPS = (
    Hop("row", HopMark.OK, "orders 17, now PENDING", "", lane="orders"),
    Hop("outbox", HopMark.OK, "OrderCreated 000001a20f52fb23-0df5850200000000", "", lane="relay", origin="orders", event="OrderCreated"),
    Hop("broker", HopMark.OK, "Order, partition 1, offset 31", "", lane="Kafka", origin="relay", event="OrderCreated"),
    Hop(
        "consumer",
        HopMark.MISSING,
        "OrderEventConsumer stands at offset 29, 2 behind; the group has no member",
        "",
        lane="customers",
        origin="Kafka",
    ),
    Hop("view", HopMark.OK, "PENDING, as it should be", "", lane="order-history", origin="Kafka"),
)
STORY = Story("Order 17", 4, 'customer 4 "Ada"', None, "PENDING", "", HOPS, None)


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("form", [render.as_text, render.as_diagram])
def test_a_story_fits(columns: int, form: Callable[[Story, int], str]) -> None:
    shown = form(STORY, columns).split("\n")
    assert [line for line in shown if len(line) > columns] == []
    assert "000001a20f52fb23-0df5850200000000" in " ".join(shown) or form is render.as_diagram


def test_a_diagram_keeps_a_lane_for_each_component_at_60_columns() -> None:
    first, *_, last = render.as_diagram(STORY, 60).split("\n")
    assert last.count("│") == 5
    assert "Kafka" in first or "Kafka" in render.as_diagram(STORY, 60).split("\n")[1]


def test_a_line_of_progress_leaves_the_last_column_free(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A full line would wrap, and the next carriage return would leave a part of it on the screen."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    say.progress("waiting for " + "a component " * 20)
    assert len(capsys.readouterr().err.removeprefix("\r\x1b[K")) == 79
