"""Whatever a service answers, a check raises only Failed, which names the field, the expected value and the received one."""

import asyncio
import json
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from labkit.checking import contract
from labkit.checking.checks import Failed
from labkit.checking.documents import Exactly, differences
from labkit.checking.session import Session
from labkit.checking.trial import Trial
from labkit.explanation import Explanation
from labkit.stack.model import Component, Endpoint, Stack
from tests.gateway.upstreams import answer, upstream
from tests.running import PROFILE

ORDER = {"orderId": 17, "orderState": "APPROVED", "rejectionReason": None}
HISTORY = {
    "id": 4,
    "orders": {"17": {"orderId": 17, "state": "APPROVED", "orderTotal": {"amount": 3.29}}},
    "name": "Ada",
    "creditLimit": {"amount": 15},
    "orderCount": 1,
    "totalApproved": {"amount": 3.29},
}
JSON = {"content-type": "application/json"}
Ask = Callable[[Trial], Coroutine[Any, Any, Any]]
ASKS: dict[str, tuple[Ask, dict[str, Any], str]] = {
    "create_customer": (lambda trial: trial.customer("Ada", "15.00"), {"customerId": 4}, "customerId"),
    "create_order": (lambda trial: trial.order(4, "3.29"), {"orderId": 17}, "orderId"),
    "read_order": (lambda trial: trial.get("/orders/17"), ORDER, "orderState"),
    "read_customer": (
        lambda trial: trial.get("/customers/4"),
        {"customerId": 4, "name": "Ada", "creditLimit": {"amount": 15.00}},
        "creditLimit",
    ),
    "cancel_order": (lambda trial: trial.cancel(17), {**ORDER, "orderState": "CANCELLED"}, "orderState"),
    "history": (lambda trial: trial.history(4), HISTORY, "orders"),
}
DEEP = b'{"more":' + b"[" * 3000 + b"]" * 3000 + b"}"
NO_CONTRACT: dict[str, bytes] = {
    "empty": b"",
    "text": b"the order was taken",
    "html": b"<html>",
    "half": b'{"orderId": 1',
    "list": b"[]",
    "null": b"null",
    "number": b"17",
    "string": b'"17"',
    "true": b"true",
    "nothing in it": b"{}",
    "not a number": b'{"orderId": NaN}',
    "infinity": b'{"orderId": -Infinity, "customerId": Infinity}',
    "deep": DEEP,
    "deep list": b"[" * 100_000,
    "not UTF-8": b'{"orderId": "\xff\xfe"}',
    "UTF-16": '{"orderId": 17}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "endless number": b'{"orderId": ' + b"9" * 5000 + b"}",
    "two documents": b"{}{}",
}
WRONG_VALUES: tuple[Any, ...] = (
    "17", 17.5, 1e300, True, [], [17], {}, {"id": 17}, 0, -1, 2**63, 10**40, "", "\ud800", "\u001b[2J", "x" * 100_000, None,
)  # fmt: skip


@contextmanager
def trial_of(tmp_path: Path, reply: bytes) -> Iterator[tuple[Trial, asyncio.AbstractEventLoop]]:
    """A trial whose gateway gives every request this answer."""

    def script(connection: socket.socket, _: bytes, __: int) -> bool:
        connection.sendall(reply)
        return len(reply) > 100

    with upstream(script) as server:
        gateway = Component("gateway", "service", Endpoint("127.0.0.1", int(server.url.rpartition(":")[2]), "http"))
        stack = Stack("none", tmp_path, "native", PROFILE, tmp_path, 0, (gateway,), 0)
        loop = asyncio.new_event_loop()
        session = Session(stack, "a test")
        try:
            with Trial(session, 1) as trial:
                yield trial, loop
        finally:
            loop.run_until_complete(session.close())
            loop.close()


def asked(tmp_path: Path, what: str, reply: bytes) -> Any:
    with trial_of(tmp_path, reply) as (trial, loop):
        return loop.run_until_complete(ASKS[what][0](trial))


@pytest.mark.parametrize("what", ASKS)
def test_what_the_contract_says_is_taken_and_more_fields_too(tmp_path: Path, what: str) -> None:
    for more in ({}, {"anything": {"else": [1, None]}}):
        asked(tmp_path, what, answer(json.dumps({**ASKS[what][1], **more}).encode()))


@pytest.mark.parametrize("body", NO_CONTRACT)
def test_what_is_no_answer_at_all_fails(tmp_path: Path, body: str) -> None:
    with pytest.raises(Failed) as failed:
        asked(tmp_path, "create_order", answer(NO_CONTRACT[body]))
    _is_fit_to_be_shown(failed.value.explanation)
    for method, pattern, *_ in contract.ROUTES:
        if (body, pattern) == ("list", r"/orders/customer/(\d+)"):
            continue
        with pytest.raises(Failed) as failed:
            contract.read(method, pattern.replace(r"(\d+)", "17"), JSON, NO_CONTRACT[body])
        _is_fit_to_be_shown(failed.value.explanation)


def _is_fit_to_be_shown(message: Explanation) -> None:
    assert message.sentence.startswith("The answer to ")
    assert message.expected
    assert message.found
    assert all(text.isprintable() for text in (message.sentence, message.expected, message.found))
    assert len(message.sentence) < 400


@pytest.mark.parametrize("what", ASKS)
def test_each_field_that_is_not_of_the_contract_is_named(tmp_path: Path, what: str) -> None:
    """Uses the same reader as above, without a server for each value."""
    _, right, field = ASKS[what]
    with trial_of(tmp_path, answer(json.dumps({**right, field: []}).encode())) as (trial, loop):
        with pytest.raises(Failed, match=field):
            loop.run_until_complete(ASKS[what][0](trial))
        method, path = (trial.shop.requests[-1][name] for name in ("method", "path"))
        assert trial.shop.requests[-1]["outcome"] == "unknown"
    for name in right:
        for value in WRONG_VALUES:
            said = _said(method, path, {**right, name: value})
            assert said is None or name in said
        lost = {key: value for key, value in right.items() if key != name}
        said = _said(method, path, {**lost, _snake(name): right[name]})
        if said is not None:
            assert f"has no {name}" in said
            assert _snake(name) == name or f"it calls it {_snake(name)}" in said


def _said(method: str, path: str, document: dict[str, Any]) -> str | None:
    """What is wrong with an answer; None when nothing is."""
    try:
        contract.read(method, path, JSON, json.dumps(document).encode())
    except Failed as failed:
        _is_fit_to_be_shown(failed.explanation)
        return failed.explanation.sentence
    return None


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def test_a_lost_rename_is_told_in_the_words_of_the_contract(tmp_path: Path) -> None:
    with pytest.raises(Failed) as failed:
        asked(tmp_path, "create_order", answer(b'{"order_id": 17, "creationTime": null}'))
    assert failed.value.explanation.sentence == "The answer to POST /orders has no orderId: it calls it order_id."
    assert failed.value.explanation.expected == "orderId: a whole number from 1 to 2^63-1"
    assert failed.value.explanation.found == '{"order_id": 17, "creationTime": null}'
    assert failed.value.explanation.next_step == "what does it answer? see services/orders/app.py"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("17", 'The answer to POST /orders says orderId = "17", which is not a whole number from 1 to 2^63-1.'),
        (True, "The answer to POST /orders says orderId = true, which is not a whole number from 1 to 2^63-1."),
        (None, "The answer to POST /orders says orderId = null, which is not a whole number from 1 to 2^63-1."),
        ([17], "The answer to POST /orders says orderId = [17], which is not a whole number from 1 to 2^63-1."),
    ],
)
def test_a_value_of_another_type_is_shown_as_it_came(tmp_path: Path, value: Any, sentence: str) -> None:
    with pytest.raises(Failed) as failed:
        asked(tmp_path, "create_order", answer(json.dumps({"orderId": value}).encode()))
    assert failed.value.explanation.sentence == sentence


def test_an_answer_about_another_order_fails(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="is about orderId 18"):
        asked(tmp_path, "read_order", answer(json.dumps({**ORDER, "orderId": 18}).encode()))


@pytest.mark.parametrize("kind", [b"text/plain", b"text/html; charset=utf-8", b"", b"\xff"])
def test_an_answer_of_another_content_type_fails(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(Failed) as failed:
        asked(tmp_path, "create_order", answer(b'{"orderId": 17}', content_type=kind))
    assert failed.value.explanation.expected == "content-type: application/json"


@pytest.mark.parametrize("status", [b"302 Found", b"304 Not Modified", b"500 No", b"418 No"])
@pytest.mark.parametrize("body", [b"", b"[", DEEP, b'{"detail": [1]}', b'{"detail": "why"}'], ids=range(5))
def test_an_answer_without_success_is_written_down_whatever_is_in_it(tmp_path: Path, status: bytes, body: bytes) -> None:
    reply = b"HTTP/1.1 %s\r\nlocation: /elsewhere\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)
    with trial_of(tmp_path, reply) as (trial, loop):
        assert loop.run_until_complete(trial.shop.place_order(4, "3.29")).id is None
        assert trial.shop.requests[-1]["status"] == int(status[:3])
        contract.detail_of(trial.shop.requests[-1]["answer"])


@pytest.mark.parametrize(
    "reply",
    [b"", b"HTTP", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 302 Found\r\nlocation: http://[::bad\r\ncontent-length: 0\r\n\r\n"],
    ids=range(4),
)
def test_what_is_no_http_is_no_answer(tmp_path: Path, reply: bytes) -> None:
    with trial_of(tmp_path, reply) as (trial, loop):
        assert loop.run_until_complete(trial.shop.place_order(4, "3.29")).id is None


def test_any_document_can_be_compared() -> None:
    values: list[object] = [
        None,
        1,
        True,
        Decimal("3.29"),
        Decimal("1e999999"),
        10**40,
        "3.29",
        [],
        {},
        {"amount": "3.29"},
        {"amount": None},
        [[{}]],
        "\ud800",
    ]
    expected = {"orders": Exactly(), "totalApproved": {"amount": Decimal("3.29")}, "name": None}
    for name in ("orders", "totalApproved", "name"):
        for value in values:
            for field, wanted, found in differences(expected, {**expected, name: value}):
                assert f"{wanted}" != f"{found}", (field, value)


def test_what_is_expected_never_looks_like_what_is_found() -> None:
    wanted = {"totalApproved": {"amount": Decimal("3.29")}}
    assert differences(wanted, {"totalApproved": {"amount": "3.29"}}) == [("totalApproved.amount", "3.29", '"3.29"')]
    more = Decimal("3.2900000000000000355")
    assert differences(wanted, {"totalApproved": {"amount": more}}) == [("totalApproved.amount", "3.29", "3.2900000000000000355")]
    assert differences({"n": 1}, {"n": True}) == [("n", "1", "true")]
    assert differences({"n": None}, {"n": "null"}) == [("n", "null", '"null"')]
