"""Log lines of a service about one request are quoted, with the place in the learner's files."""

import json
from pathlib import Path

import pytest

from labkit.checking import complaints
from labkit.checking.complaints import in_one_line, owner_of
from labkit.stack.model import Stack
from tests.running import PROFILE

TRACE = """Traceback (most recent call last):
  File "/usr/lib/python3/site-packages/starlette/routing.py", line 70, in app
    response = await func(request)
  File "/home/ada/work shop/services/orders/app.py", line 80, in create
    total = wanted.totl
  File "/home/ada/work shop/services/web/body.py", line 12, in read
    pass
AttributeError: 'CreateOrder' object has no attribute 'totl'
"""
SAID = "AttributeError: 'CreateOrder' object has no attribute 'totl' (services/web/body.py, line 12)"


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/orders", "orders"),
        ("/orders/17/cancel", "orders"),
        ("/customers/4", "customers"),
        ("/customers/4/orderhistory", "order-history"),
        ("/health", "gateway"),
    ],
)
def test_who_answers_a_path(path: str, service: str) -> None:
    assert owner_of(path) == service


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (TRACE, SAID),
        ("KeyError('total')", "KeyError('total')"),
        ('  File "/opt/lib/asyncio/base.py", line 3, in x\nOSError: no', "OSError: no (asyncio/base.py, line 3)"),
        ("ValueError: \x1b[2J", "ValueError: [2J"),
    ],
)
def test_an_exception_in_one_line(text: str, line: str) -> None:
    assert in_one_line(text) == line


def test_only_the_same_request_since_then_is_quoted(tmp_path: Path) -> None:
    stack = Stack("none", tmp_path, "native", PROFILE, tmp_path, 0, (), 0)
    about = {"event": "a request failed", "method": "POST", "path": "/orders"}
    lines = [
        {**about, "time": 99.0, "error": "Earlier()"},
        {**about, "time": 101.0, "error": "x", "traceback": TRACE},
        {**about, "time": 102.0, "path": "/orders/1", "error": "Another()"},
        {"time": 103.0, "event": "waiting"},
    ]
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "orders.log").write_text("\n".join([*map(json.dumps, lines), "{", "no JSON", "{" + '"a":[' * 5000]) + "\n")
    assert [fact.text for fact in complaints.about_request(stack, "POST", "/orders", 100.0)] == [f"orders raised {SAID}"]
    assert complaints.about_request(stack, "POST", "/orders", 200.0) == []
    assert [fact.text for fact in complaints.lately(stack, "orders", 100.0)] == ["orders raised Another()"]
