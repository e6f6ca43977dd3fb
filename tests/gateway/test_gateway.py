"""The gateway's process in front of real servers, both correct and misbehaving."""

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.gateway.upstreams import Script, Upstream, answer, upstream
from tests.running import free_port
from tests.web.serving import served

JSON = {"content-type": "application/json"}
ORDER = b'{"customerId":1,"orderTotal":{"amount":12.34}}'
PATIENT = {"GATEWAY_GET_TIMEOUT_MS": "30000", "GATEWAY_POST_TIMEOUT_MS": "30000"}  # these servers can lose the processor for seconds


class Gateway(httpx.Client):
    url: str
    orders: Upstream


@contextmanager
def gateway(tmp_path: Path, script: Script, **environment: str) -> Iterator[Gateway]:
    """A gateway in front of three servers that follow `script`. `orders` is the server behind /orders."""
    with upstream(script) as customers, upstream(script) as orders, upstream(script) as history:
        urls = {"CUSTOMERS_URL": customers.url, "ORDERS_URL": orders.url, "ORDER_HISTORY_URL": history.url}
        with (
            served(["-m", "services.gateway"], tmp_path / "log", **{**urls, **PATIENT, **environment}) as service,
            Gateway(base_url=service.url, trust_env=False, timeout=60) as client,
        ):
            client.url = service.url
            client.orders = orders
            yield client


def says(body: bytes, status: bytes = b"200 OK", content_type: bytes = b"application/json") -> Script:
    def script(connection: socket.socket, request: bytes, before: int) -> bool:
        connection.sendall(answer(body, status, content_type))
        return True

    return script


def echo(connection: socket.socket, request: bytes, before: int) -> bool:
    """Answers with the server's port and the request."""
    line, _, rest = request.partition(b"\r\n")
    told = {"port": connection.getsockname()[1], "line": line.decode(), "body": rest.partition(b"\r\n\r\n")[2].decode()}
    connection.sendall(answer(json.dumps(told).encode()))
    return True


def refused(response: httpx.Response, status: int, *words: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status
    for word in words:
        assert word in response.json()["detail"]


ROUTES = [
    ("POST", "/customers", "CUSTOMERS_URL"),
    ("GET", "/customers", "CUSTOMERS_URL"),
    ("GET", "/customers/7", "CUSTOMERS_URL"),
    ("GET", "/customers/7/orderhistory", "ORDER_HISTORY_URL"),
    ("GET", "/customers/count", "ORDER_HISTORY_URL"),
    ("POST", "/orders", "ORDERS_URL"),
    ("GET", "/orders", "ORDERS_URL"),
    ("GET", "/orders/7?a=b%20c", "ORDERS_URL"),
    ("GET", "/orders/customer/7", "ORDERS_URL"),
    ("POST", "/orders/7/cancel", "ORDERS_URL"),
]


def test_every_route_reaches_its_service_unchanged(tmp_path: Path) -> None:
    with upstream(echo) as customers, upstream(echo) as orders, upstream(echo) as history:
        urls = {"CUSTOMERS_URL": customers.url, "ORDERS_URL": orders.url, "ORDER_HISTORY_URL": history.url}
        with served(["-m", "services.gateway"], tmp_path / "log", **urls, **PATIENT) as service:
            for method, path, to in ROUTES:
                body = ORDER.decode() if method == "POST" else ""
                told = httpx.request(method, service.url + path, content=body, headers=JSON, trust_env=False, timeout=60).json()
                assert told == {"port": httpx.URL(urls[to]).port, "line": f"{method} {path} HTTP/1.1", "body": body}


def test_status_and_body_come_back_unchanged(tmp_path: Path) -> None:
    problem = b'{"type":"about:blank","title":"Conflict","status":409,"detail":"order 7 is REJECTED"}'
    answers = {
        "/orders/1": answer(b'{"limit":15.00,"id":9223372036854775807}'),
        "/orders/2": b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "/orders/3": answer(problem, b"409 Conflict", b"application/problem+json"),
        "/orders/4": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n[1\r\n2\r\n,2\r\n1\r\n]\r\n0\r\n\r\n",
        "/orders/5": b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"5"),
        "/orders/6": answer(b'{"error":"x"}', b"500 Internal Server Error"),
    }

    def script(connection: socket.socket, request: bytes, before: int) -> bool:
        connection.sendall(answers[request.split()[1].decode()])
        return True

    with gateway(tmp_path, script) as client:
        assert client.get("/orders/1").content == b'{"limit":15.00,"id":9223372036854775807}'
        missing = client.get("/orders/2")
        assert (missing.status_code, missing.content) == (404, b"")
        conflict = client.get("/orders/3")
        assert (conflict.status_code, conflict.content, conflict.headers["content-type"]) == (409, problem, "application/problem+json")
        assert client.get("/orders/4").content == b"[1,2]"
        assert client.get("/orders/5").content == b"5"
        assert client.get("/orders/6").status_code == 500
        assert client.orders.connections == 1  # kept alive throughout, including health


def test_a_service_that_is_down_is_named(tmp_path: Path) -> None:
    with gateway(tmp_path, echo, ORDERS_URL=f"http://127.0.0.1:{free_port()}") as client:
        refused(client.get("/orders/7"), 503, "orders", "connection refused", "labkit status")
        refused(client.post("/orders", content=ORDER, headers=JSON), 503, "orders")
        assert client.get("/customers/7").status_code == 200
        health = client.get("/health")
        assert health.status_code == 503
        assert health.json()["components"]["orders"] == {"status": "DOWN", "detail": "connection refused"}
        assert health.json()["components"]["customers"] == {"status": "UP"}


def test_a_service_that_hangs_up_is_named_and_a_post_is_sent_once(tmp_path: Path) -> None:
    with gateway(tmp_path, lambda connection, request, before: False) as client:
        refused(client.post("/orders", content=ORDER, headers=JSON), 503, "orders", "closed the connection")
        assert len(client.orders.requests) == 1


def test_a_get_is_sent_again_when_a_kept_connection_was_closed_under_it(tmp_path: Path) -> None:
    def closes_on_the_second(connection: socket.socket, request: bytes, before: int) -> bool:
        if before == 1:
            return False
        connection.sendall(answer(b"1"))
        return True

    with gateway(tmp_path, closes_on_the_second) as client:
        assert client.get("/orders/1").status_code == 200
        assert client.get("/orders/1").status_code == 200
        assert len(client.orders.requests) == 3


def test_a_post_on_a_kept_connection_that_closes_is_not_sent_again(tmp_path: Path) -> None:
    def closes_on_posts(connection: socket.socket, request: bytes, before: int) -> bool:
        connection.sendall(answer(b"1")) if request.startswith(b"GET") else None
        return request.startswith(b"GET")

    with gateway(tmp_path, closes_on_posts) as client:
        assert client.get("/orders/1").status_code == 200
        refused(client.post("/orders", content=ORDER, headers=JSON), 503, "orders")
        assert len(client.orders.requests) == 2


def test_a_service_that_came_back_is_used_again(tmp_path: Path) -> None:
    with gateway(tmp_path, says(b"1")) as client:
        for _ in range(3):
            client.orders.drop_connections()
            assert client.get("/orders/1").status_code == 200


def test_a_service_that_hangs_is_a_timeout_and_its_late_answer_goes_to_nobody(tmp_path: Path) -> None:
    let_go = threading.Event()

    def hangs_at_first(connection: socket.socket, request: bytes, before: int) -> bool:
        if before == 0:
            let_go.wait(60)
        connection.sendall(answer(b"%d" % before))
        return True

    with gateway(tmp_path, hangs_at_first, GATEWAY_POST_TIMEOUT_MS="200") as client:
        refused(client.post("/orders", content=ORDER, headers=JSON), 504, "orders", "0.2 s", "not known")
        let_go.set()
        assert [client.get("/orders/1").content for _ in range(3)] == [b"1", b"2", b"3"]


def test_many_clients_each_get_their_own_answer(tmp_path: Path) -> None:
    with gateway(tmp_path, echo) as client, ThreadPoolExecutor(16) as pool:

        def ask(number: int) -> bool:
            path = f"/orders/{number}"
            return bool(client.get(path).json()["line"] == f"GET {path} HTTP/1.1")

        assert all(pool.map(ask, range(500)))


@pytest.mark.parametrize("junk", [b"hello\r\n\r\n", b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", b"\x00" * 100])
def test_an_answer_that_is_not_http_is_502(tmp_path: Path, junk: bytes) -> None:
    def script(connection: socket.socket, request: bytes, before: int) -> bool:
        connection.sendall(junk)
        return True

    with gateway(tmp_path, script) as client:
        refused(client.get("/orders/1"), 502, "orders", "labkit logs orders")


def test_an_answer_cut_short_is_not_passed_on(tmp_path: Path) -> None:
    def script(connection: socket.socket, request: bytes, before: int) -> bool:
        connection.sendall(answer(b"x" * 100)[:-1])
        return False

    with gateway(tmp_path, script) as client:
        refused(client.get("/orders/1"), 503, "orders")


def test_a_huge_answer_is_502_and_does_not_stay_in_memory(tmp_path: Path) -> None:
    def script(connection: socket.socket, request: bytes, before: int) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 1_000_000)

    with gateway(tmp_path, script) as client:
        refused(client.get("/orders/1"), 502, "orders", "too large")
        assert client.get("/health").status_code == 200


def test_a_large_body_does_not_reach_the_service(tmp_path: Path) -> None:
    with gateway(tmp_path, echo) as client:
        refused(client.post("/orders", content=b" " * 10_000_000, headers=JSON), 413)
        assert client.orders.requests == []


def test_wrong_settings_end_the_process_with_a_line(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ORDERS_URL is not set"), gateway(tmp_path, echo, ORDERS_URL=""):
        pass


def test_swagger_page_and_document_come_from_this_machine(tmp_path: Path) -> None:
    with gateway(tmp_path, echo) as client:
        page = client.get("/swagger-ui/index.html")
        assert page.status_code == 200
        assert "http" not in page.text.replace("http-equiv", "")  # no external address
        for file in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"):
            assert file in page.text
            assert client.get(f"/swagger-ui/{file}").status_code == 200
        assert client.get("/swagger-ui/..%2f__main__.py").status_code == 404
        document = client.get("/openapi.json").json()
        assert document == client.get("/v3/api-docs").json()
        described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
        templates = {(method, _template(path)) for method, path, _ in ROUTES} | {("GET", "/health")}
        assert described == templates
        _references_resolve(document, document)


def _template(path: str) -> str:
    path = path.partition("?")[0]
    return path.replace("/7", "/{customerId}" if "customer" in path else "/{orderId}")


def _references_resolve(node: object, document: dict[str, object]) -> None:
    if isinstance(node, dict):
        if reference := node.get("$ref"):
            at: object = document
            for step in str(reference).removeprefix("#/").split("/"):
                assert isinstance(at, dict)
                at = at[step]
        for value in node.values():
            _references_resolve(value, document)
    elif isinstance(node, list):
        for value in node:
            _references_resolve(value, document)
