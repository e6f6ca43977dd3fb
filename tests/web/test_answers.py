"""What a client sees of a service built on services.web: answers and refusals. A refused request stores nothing."""

import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from tests.web.serving import WITHIN_S, Served, served

JSON = {"content-type": "application/json"}
GOOD = '{"customerId":1,"orderTotal":{"amount":12.34}}'


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("shop") / "log"
    with served([str(Path(__file__).with_name("shop.py"))], log) as service:
        yield service


@pytest.fixture
def client(shop: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop.url, trust_env=False, timeout=WITHIN_S) as client:
        yield client


def refused(answer: httpx.Response, status: int, field: str | None = None) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, object] = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["type"] == "about:blank"
    assert problem.get("field") == field, problem
    return problem


def test_good_input_is_stored_and_given_back_digit_by_digit(client: httpx.Client) -> None:
    body = '{"customerId":9223372036854775807,"orderTotal":{"amount":15.00},"unknown":[1]}'
    order_id = client.post("/orders", content=body, headers={"content-type": "Application/JSON; charset=utf-8"}).json()["orderId"]
    answer = client.get(f"/orders/{order_id}")
    assert answer.text == '{"customerId":9223372036854775807,"orderTotal":{"amount":15.00},"name":""}'
    assert json.loads(answer.text, parse_float=Decimal)["orderTotal"]["amount"] == Decimal("15.00")


BAD_BODIES = [
    ("", None),
    ("{", None),
    ("[]", None),
    ("null", None),
    ("{}", "customerId"),
    ('{"customerId":1}', "orderTotal"),
    ('{"customerId":1,"orderTotal":{}}', "orderTotal.amount"),
    ('{"customerId":1,"orderTotal":null}', "orderTotal"),
    ('{"customerId":null,"orderTotal":{"amount":1}}', "customerId"),
    ('{"customerId":"1","orderTotal":{"amount":1}}', "customerId"),
    ('{"customerId":1.5,"orderTotal":{"amount":1}}', "customerId"),
    ('{"customerId":9223372036854775808,"orderTotal":{"amount":1}}', "customerId"),
    ('{"customerId":' + "9" * 5000 + ',"orderTotal":{"amount":1}}', "customerId"),
    ('{"customerId":1,"orderTotal":{"amount":1},"x":' + "9" * 5000 + "}", None),
    ('{"customerId":1,"orderTotal":{"amount":NaN}}', None),
    ('{"customerId":1,"orderTotal":{"amount":1},"x":Infinity}', None),
    ('{"customerId":1,"customerId":2,"orderTotal":{"amount":1}}', None),
    ('{"customerId":1,"orderTotal":{"amount":1,"amount":2}}', None),
    ('{"customerId":1,"orderTotal":{"amount":1},"name":"\\u0000"}', None),
    ('{"customerId":1,"orderTotal":{"amount":1},"name":"\\ud800"}', None),
    ('{"customerId":1,"orderTotal":{"amount":1},"name":"\\udc00\\ud800"}', None),
    ('{"customerId":1,"orderTotal":{"amount":1},"name":7}', "name"),
    (b'{"customerId":1,"orderTotal":{"amount":1},"name":"\xff"}', None),
    (b'{"customerId":1,"orderTotal":{"amount":1},"name":"\x00"}', None),
    (b'\xef\xbb\xbf{"customerId":1,"orderTotal":{"amount":1}}', None),
    (GOOD + "x", None),
    (GOOD + GOOD, None),
    ("[" * 60_000, None),
    ('{"x":' * 12_000, None),
    ('{"customerId":1,"orderTotal":{"amount":1},"x":' + "[" * 20_000 + "]" * 20_000 + "}", None),
]


@pytest.mark.parametrize(("body", "field"), BAD_BODIES, ids=[str(body)[:60] for body, _ in BAD_BODIES])
def test_bad_body_is_refused_by_field_and_not_stored(client: httpx.Client, body: str | bytes, field: str | None) -> None:
    before = client.get("/count").json()
    refused(client.post("/orders", content=body, headers=JSON), 400, field)
    assert client.get("/count").json() == before


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json"])
def test_other_content_types_are_refused(client: httpx.Client, content_type: str | None) -> None:
    refused(client.post("/orders", content=GOOD, headers={} if content_type is None else {"content-type": content_type}), 415)


def test_ten_megabytes_are_refused_and_the_connection_survives(client: httpx.Client) -> None:
    refused(client.post("/orders", content=b" " * 10_000_000, headers=JSON), 413)
    refused(client.post("/orders", content=iter([b" " * 100_000] * 100), headers=JSON), 413)  # chunked: no length announced
    assert client.post("/orders", content=GOOD.rjust(64 * 1024), headers=JSON).status_code == 200
    refused(client.post("/orders", content=GOOD.rjust(64 * 1024 + 1), headers=JSON), 413)


@pytest.mark.parametrize("order_id", ["x", "1.0", "+1", "1_0", "%20", "9223372036854775808", "-9223372036854775809", "9" * 4000, "١"])
def test_an_id_that_is_none_is_refused(client: httpx.Client, order_id: str) -> None:
    refused(client.get(f"/orders/{order_id}"), 400, "orderId")


@pytest.mark.parametrize("order_id", ["0", "-1", "9223372036854775807", "-9223372036854775808"])
def test_an_id_that_nobody_has_is_404_with_an_empty_body(client: httpx.Client, order_id: str) -> None:
    answer = client.get(f"/orders/{order_id}")
    assert (answer.status_code, answer.content) == (404, b"")


def test_routes_and_methods_that_do_not_exist(client: httpx.Client) -> None:
    refused(client.get("/nothing"), 404)
    refused(client.get("/orders/"), 404)
    refused(client.delete("/orders"), 405)
    refused(client.options("/orders"), 405)
    assert [client.request(method, "/orders").headers["allow"] for method in ("OPTIONS", "PUT", "DELETE")] == ["GET, POST"] * 3
    assert client.put("/count").headers["allow"] == "GET"


def test_a_bug_tells_the_log_and_not_the_client(shop: Served, client: httpx.Client) -> None:
    problem = refused(client.get("/crash"), 500)
    assert "secret" not in json.dumps(problem)
    line = next(json.loads(line) for line in shop.log.read_text().splitlines() if "secret" in line)
    assert line["path"] == "/crash"
    assert "RuntimeError" in line["traceback"]


def test_health(client: httpx.Client) -> None:
    for path in ("/health", "/actuator/health"):
        assert client.get(path).json() == {"status": "UP", "components": {"database": {"status": "UP"}}}


def raw(shop: Served, data: bytes) -> bytes:
    """Everything the service sends until it closes."""
    with socket.create_connection(("127.0.0.1", shop.port), timeout=WITHIN_S) as connection:
        connection.sendall(data)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


HEAD = b"POST /orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
BROKEN_HTTP = {
    "no HTTP": b"hello\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT": b"CONNECT a:80 HTTP/1.1\r\nhost: x\r\n\r\n",
    "negative length": HEAD + b"content-length: -5\r\n\r\n{}",
    "length and chunks": HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk that is none": HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}zzzz",
    "more than the length says": HEAD + b"content-length: 1\r\n\r\n{}",
    "less than the length says": HEAD + b"content-length: 50\r\n\r\n{}",
}


@pytest.mark.parametrize("data", BROKEN_HTTP.values(), ids=BROKEN_HTTP.keys())
def test_broken_http_is_refused_with_a_problem(shop: Served, data: bytes) -> None:
    answer = raw(shop, data)
    assert answer.startswith(b"HTTP/1.1 4"), answer
    assert b"application/problem+json" in answer


def test_endless_headers_are_cut_off(shop: Served) -> None:
    with socket.create_connection(("127.0.0.1", shop.port), timeout=WITHIN_S) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 11_000)
        assert connection.recv(100).startswith(b"HTTP/1.1 431 ")


def test_java_clients_that_offer_http2_keep_their_body(shop: Served) -> None:
    body = GOOD.encode()
    offer = b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
    assert raw(shop, HEAD + offer + b"content-length: %d\r\n\r\n%s" % (len(body), body)).startswith(b"HTTP/1.1 200 ")


def test_several_requests_in_one_packet_are_answered_in_order(shop: Served) -> None:
    answer = raw(shop, b"GET /orders/x HTTP/1.1\r\n\r\nGET /orders/0 HTTP/1.1\r\n\r\nGET /count HTTP/1.1\r\nconnection: close\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"400", b"404", b"200"]


def test_sigterm_is_a_clean_stop_under_an_open_connection(tmp_path: Path) -> None:
    with (
        served([str(Path(__file__).with_name("shop.py"))], tmp_path / "log") as shop,
        httpx.Client(trust_env=False, timeout=WITHIN_S) as client,
    ):
        client.get(f"{shop.url}/health")
        os.kill(shop.process.pid, signal.SIGTERM)
        assert shop.process.wait(WITHIN_S) == 0
