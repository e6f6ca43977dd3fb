"""Files from other people: labkit accepts them or says what is wrong, with the line where there is one."""

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit.catalog import schema
from labkit.chaos import schedule
from labkit.checking.checks import Failed
from labkit.checking.lab_modules import beside
from labkit.commands import progress as progress_command
from labkit.errors import UserError
from labkit.evidence import mark
from labkit.workspace import progress
from labkit.workspace.learner_folder import Workspace
from tests.labs.test_schema import GOOD as LAB
from tests.running import PROFILE, ROOT

saga = beside(str(ROOT / "labs" / "02-choreography-saga" / "checks.py"), "saga")
SAGA = (ROOT / "labs" / "02-choreography-saga" / "solution" / "saga.yml").read_text()
PROGRESS = json.dumps(
    {
        "format": 2,
        "labs": {
            "1": {
                "started": 1.5,
                "checks": {"1.1": {"state": "passed", "when": 2, "last": "pass", "tries": 1, "failure": {"when": 3, "sentence": "No."}}},
                "hints": {"1.1": 1},
                "predictions": {"1.2": {"choice": 0, "when": 4.5, "right": True}},
                "injected": {"1.2": 5},
            }
        },
    }
)
SCHEDULE = json.dumps(
    {
        "version": 1,
        "seed": 7,
        "seconds": 20.0,
        "rate": 30.0,
        "events": [
            {"at": 1.0, "verb": "kill", "target": "orders", "lasts": 0.5, "point": "", "hit": 1},
            {"at": 5.0, "verb": "crash", "target": "relay", "lasts": 1.0, "point": "relay.after_publish_before_mark", "hit": 2},
        ],
    }
)
MARK = json.dumps({"time": 1.5, "kafka": {"orders": [0, 1]}, "binlog": {"file": "binlog.000001", "position": 4}})


def take_progress(path: Path) -> None:
    """Does what `progress import` and then `report` do."""
    space = Workspace(path.parent / "space", "own")
    space.labkit_folder.mkdir(parents=True, exist_ok=True)
    try:
        theirs = progress.read(path)
    except ValueError as error:
        raise UserError(str(error)) from None
    progress.change(space, lambda ours: progress_command.merge(ours, theirs))
    assert progress.load(space).labs.keys() == theirs.labs.keys()
    for lab in progress.load(space).labs.values():
        for record in lab.checks.values():
            assert time.localtime(record.when or 0)
    progress.path_of(space).unlink()


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "progress": (PROGRESS, take_progress),
    "schedule": (SCHEDULE, lambda path: schedule.read(path, PROFILE)),
    "mark": (MARK, lambda path: mark.read(path.parent, PROFILE)),
    "lab.yaml": (LAB, schema.read),
    "saga.yml": (SAGA, saga.read),
}
NAMES = {"mark": "mark.json"}

NUMBERS: list[Any] = [0, -1, 7, 2**31, 2**63, 2**64, -(2**63) - 1, 10**17, 10**40, 10**400, 1e300, -1e300, 0.5, 1e-300]
TEXTS = ["", "x", "1", "\x1b[2J", "\u202e", "\ud800", "\0", "a" * 100_000, "../../x", "/etc/passwd", "2024-13-45"]
VALUES: list[Any] = [*NUMBERS, *TEXTS, None, True, False, [], {}, [[]], {"": {}}, [None]]
_RAW = rb"""[ { ] } " \ \ud800 NaN Infinity - 1e999 &a *a <<: !!python/object/apply:os.system !!binary %YAML --- ? : #"""
RAW = [*_RAW.split(), b"", b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\n---\n", b"\t", b": ", b"- ", b"\r", b"\x1b", b"\n"]


def mutated(dice: random.Random, good: str) -> bytes:
    """Changes the structure of JSON, or the bytes."""
    if good.startswith("{") and dice.random() < 0.6:
        data = json.loads(good)
        for _ in range(dice.randint(1, 3)):
            change(dice, data)
        return json.dumps(data, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    text = bytearray(good.encode())
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(text) + 1)
        text[at : at + dice.choice((0, 0, 1, 3, 30))] = dice.choice(RAW) if dice.random() < 0.7 else dice.randbytes(dice.randint(1, 8))
    return bytes(text)


def change(dice: random.Random, node: Any) -> None:
    """Changes one place: another value, another name, one entry removed, or one added."""
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    if not keys:
        return
    key = dice.choice(keys)
    if isinstance(node[key], dict | list) and dice.random() < 0.7:
        change(dice, node[key])
        return
    action = dice.randrange(4)
    if action == 0:
        del node[key]
    elif action == 1 and isinstance(node, dict):
        node[dice.choice([*map(str, VALUES[:6]), "\ud800", "\x1b", "format", "labs", "1.1", "9" * 20])] = node.pop(key)
    else:
        node[key] = dice.choice(VALUES)


@pytest.mark.parametrize("kind", READERS)
def test_any_change_is_taken_or_told(kind: str, tmp_path: Path) -> None:
    good, read = READERS[kind]
    path = tmp_path / NAMES.get(kind, kind)
    path.write_text(good)
    read(path)
    dice = random.Random(12)
    outcomes = [0, 0]
    for _ in range(300):
        data = mutated(dice, good)
        path.write_bytes(data)
        try:
            read(path)
            outcomes[0] += 1
        except (UserError, Failed) as told:
            outcomes[1] += 1
            said = f"{told} {getattr(told, 'sentence', '')}"
            assert len(said) < 2000, data
            assert said.encode(), data
    assert all(outcomes) or kind == "mark", outcomes


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
FIRST = "steps:\n  - trigger: POST /orders\n    participant: orders\n"
STRANGE: dict[str, tuple[bytes, int, str]] = {
    "Latin-1": (FIRST.encode() + "    does: créate order\n".encode("latin-1"), 4, "not UTF-8"),
    "UTF-16": (SAGA.encode("utf-16"), 1, "UTF-16"),
    "UTF-16 without a mark": (SAGA.encode("utf-16-le"), 1, "UTF-16"),
    "a name twice": ((FIRST + "    participant: customers\n").encode(), 4, "a second participant"),
    "steps twice": ((SAGA + "\nsteps: []\n").encode(), SAGA.count("\n") + 2, "a second steps"),
    "merge keys": ((FIRST + "    <<: {does: create order}\n").encode(), 4, "merge keys"),
    "a date that is none": ((FIRST + "    does: 2024-13-45\n    publishes: []\n").encode(), 2, "2024-13-45"),
    "an alias bomb": (BOMB.encode(), 1, "anchors and aliases"),
    "an alias": ((FIRST + "    does: &a create order\n    publishes: *a\n").encode(), 4, "anchors and aliases"),
    "a tag": ((FIRST + "    does: !!python/object/apply:os.system [id]\n").encode(), 4, "tags such as"),
    "a second document": ((SAGA + "---\nsteps: []\n").encode(), SAGA.count("\n") + 1, "a second document"),
    "a tabulator": ((FIRST + "\tdoes: create order\n").encode(), 4, "is not YAML"),
    "NUL": ((FIRST + "    does: a\0b\n").encode(), 4, "is not YAML"),
    "nested": (b"steps: " + b"[" * 60, 1, "nested too deeply"),
    "nested in lines": (b"".join(b" " * n + b"-\n" for n in range(400)), 41, "nested too deeply"),
    "a list as a name": (b"? [a, b]\n: 1\n", 1, "plain text"),
    "huge": (b"steps: []\n" + b"# x\n" * 200_000, 1, "larger than"),
    "a list": (b"- 1\n", 1, "no list `steps`"),
    "empty": (b"", 1, "no list `steps`"),
    "a number": (b"7", 1, "no list `steps`"),
    "no list": (b"steps: {a: b}\n", 1, "no list `steps`"),
    "a step that is none": (b"steps:\n  -\n", 2, "a step has exactly"),
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_strange_saga_is_told_with_its_line(case: str, tmp_path: Path) -> None:
    data, line, said = STRANGE[case]
    path = tmp_path / "saga.yml"
    path.write_bytes(data)
    with pytest.raises(Failed) as failed:
        saga.read(path)
    assert failed.value.explanation.sentence.startswith(f"saga.yml, line {line}: "), failed.value.explanation.sentence
    assert said in failed.value.explanation.sentence


def test_editors_marks_and_dates_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "saga.yml"
    path.write_bytes(b"\xef\xbb\xbf" + SAGA.replace("\n", "\r\n").encode())
    assert saga.read(path) == saga.read(ROOT / "labs" / "02-choreography-saga" / "solution" / "saga.yml")
    lab = tmp_path / "lab.yaml"
    lab.write_text(LAB.replace("title: A lab", "title: 2024-13-45"))
    assert schema.read(lab).title == "2024-13-45"


@pytest.mark.parametrize("kind", READERS)
def test_what_is_no_file_is_told_at_once(kind: str, tmp_path: Path) -> None:
    _, read = READERS[kind]
    path = tmp_path / NAMES.get(kind, kind)
    for make in (os.mkfifo, Path.mkdir):
        make(path)
        if kind == "mark":
            assert read(path) is None
        else:
            with pytest.raises((UserError, Failed)):
                read(path)
        path.unlink() if path.is_fifo() else path.rmdir()


PROGRESS_TOLD = [
    ('{"format": 2, "labs": {"1": {"started": 1e300}}}', "labs"),
    ('{"format": 2, "labs": {"1": {"checks": {"1.1": {"when": -1}}}}}', "labs"),
    ('{"format": 2, "labs": {"1": {"checks": {"\\u001b[2J": {}}}}}', "labs"),
    ('{"format": 2, "labs": {"1": {"checks": {"1.1": {"failure": {"when": 1, "sentence": "\\ud800"}}}}}}', "half a character"),
    ('{"format": -1}', "format"),
    ('{"format": true}', "format"),
    ('{"format": 0, "passed": [[]]}', "passed"),
    ('{"format": 0, "passed": 7}', "passed"),
    ('{"format": 1, "passed": []}', "passed"),
    ('{"format": 1, "passed": {"1.1": "soon"}}', "passed"),
    ("[" * 100_000, "nested too deeply"),
    ('{"format": 2, "x": ' + '{"a":' * 5000, "nested too deeply"),
    ('{"format": 2, "format": 1}', "a second format"),
    ('{"format": 2,\n"labs": }', "line 2, column 9"),
    ("9" * 5000, "a number of 5000 digits"),
]


@pytest.mark.parametrize(("text", "said"), PROGRESS_TOLD, ids=[said + text[:30] for text, said in PROGRESS_TOLD])
def test_strange_progress_is_told(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "theirs.json"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        take_progress(path)
