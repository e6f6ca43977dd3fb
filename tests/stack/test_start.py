"""The time limits of a start; only the current process's own output counts."""

import json
from pathlib import Path

import pytest

from labkit.errors import ExitCode, UserError
from labkit.evidence import environment, last_words
from labkit.stack import event_log, log_files, start_times
from labkit.stack.complaints import complains_of_port, complaint
from labkit.stack.native.runtime import Native
from tests.running import PROFILE


def test_a_component_may_take_what_it_took_before_and_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(start_times.VARIABLE, raising=False)
    assert start_times.timeout(tmp_path, "customers", 30.0) == 30.0
    start_times.note(tmp_path, {"customers": 36.0, "orders": 1.0})
    assert start_times.timeout(tmp_path, "customers", 30.0) == 108.0
    assert start_times.timeout(tmp_path, "orders", 30.0) == 30.0
    for _ in range(start_times.KEPT):
        start_times.note(tmp_path, {"customers": 2.0})
    assert start_times.timeout(tmp_path, "customers", 30.0) == 30.0
    start_times.note(tmp_path, {"customers": 5000.0})
    assert start_times.timeout(tmp_path, "customers", 30.0) == start_times.LONGEST
    monkeypatch.setenv(start_times.VARIABLE, "7")
    assert start_times.timeout(tmp_path, "customers", 30.0) == 7.0


@pytest.mark.parametrize("text", ["", "soon", "-1", "0", "nan", "inf"])
def test_a_start_timeout_that_is_no_number_of_seconds_is_wrong_usage(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(start_times.VARIABLE, text)
    with pytest.raises(UserError, match=start_times.VARIABLE) as refused:
        start_times.timeout(tmp_path, "customers", 30.0)
    assert refused.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("kept", ["", "[]", '{"customers": 3}', '{"customers": []}', '{"customers": ["a"]}', '{"customers": [NaN]}'])
def test_damaged_notes_of_starts_count_for_nothing(kept: str, tmp_path: Path) -> None:
    (tmp_path / start_times.FILE).write_text(kept)
    assert start_times.timeout(tmp_path, "customers", 30.0) == 30.0


CASES = [
    ([], None),
    (["listening", '{"event":"begun"}'], None),
    (['{"error":"KeyError: 1","time":5,"message_id":"m-1"}', '{"event":"begun","time":6}'], "KeyError: 1"),
    (['{"level":"error","event":"[Errno 98] address already in use"}'], "[Errno 98] address already in use"),
    (["Traceback (most recent call last):", '  File "a.py", line 1', "KeyError: 2", '{"event":"ending"}'], "KeyError: 2"),
    (['{"error":', "[1]", '{"error": null}', '{"traceback": "Traceback\\n  x\\nValueError: 3\\n"}'], "ValueError: 3"),
    (['{"error":"old"}', "Traceback (most recent call last):", "SyntaxError: 4"], "SyntaxError: 4"),
]


@pytest.mark.parametrize(("lines", "told"), CASES)
def test_the_last_complaint_of_a_process(lines: list[str], told: str | None) -> None:
    found = complaint(lines)
    assert (found and found.last_line) == told


@pytest.mark.parametrize(
    ("line", "complains"),
    [
        ("[Errno 98] error while attempting to bind on address ('127.0.0.1', 8082): address already in use", True),
        ("listen EADDRINUSE: 127.0.0.1:8082", True),
        ("Bind on TCP port 8082: Address already in use", True),
        ("Bind on TCP port 9999: Address already in use", False),
        ("KeyError: 8082", False),
    ],
)
def test_who_complains_of_its_port(line: str, complains: bool) -> None:
    assert complains_of_port([line], 8082) is complains


def lived(directory: Path, *lives: tuple[float, str, float | None]) -> Native:
    """A component `customers` with these lives: start, output, end. The last one may still run."""
    log = log_files.of(directory, "customers")
    log.parent.mkdir(parents=True, exist_ok=True)
    with (directory / event_log.NAME).open("w") as events, log.open("ab") as out:
        for began, text, ended in lives:
            events.write(json.dumps({"time": began, "event": "start", "component": "customers", "pid": 1, "log_from": out.tell()}) + "\n")
            out.write(text.encode())
            out.flush()
            if ended is not None:
                events.write(json.dumps({"time": ended, "event": "end", "component": "customers", "pid": 1, "exit_code": 1}) + "\n")
    return Native(directory, PROFILE)


def test_only_the_words_of_this_process_count(tmp_path: Path) -> None:
    native = lived(tmp_path, (1.0, "ImportError: gone\n", 2.0), (3.0, "second\nKeyError\n", 4.0), (5.0, "", None))
    assert native.process_log("customers", 10) == []
    assert native.process_log("customers", 10, ended=2.0) == ["ImportError: gone"]
    assert native.process_log("customers", 1, ended=4.0) == ["KeyError"]
    assert native.process_log("orders", 10) is None


def test_each_end_is_told_with_its_own_last_words_and_nothing_of_before_the_mark(tmp_path: Path) -> None:
    first, second = '{"error":"BrokerUnavailable: old","time":1.5}\n', '{"error":"KeyError: new","time":103.5}\n'
    native = lived(tmp_path, (1.0, first, 2.0), (103.0, second, 104.0), (105.0, "nothing bad\n", None))
    events = environment.events(native, 100.0)
    rows = last_words.rows(native, ["customers"], 100.0, events)
    assert [(row["text"], row["ended"]) for row in rows] == [("KeyError: new", environment.utc(104.0))]


def test_a_log_that_was_put_aside_is_read_from_its_beginning(tmp_path: Path) -> None:
    native = lived(tmp_path, (1.0, "long ago\n" * 100, 2.0), (3.0, "", None))
    log_files.of(tmp_path, "customers").write_text("new\n")
    assert native.process_log("customers", 10) == ["new"]
