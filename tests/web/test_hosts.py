"""Pages of other sites in a browser on this machine: their requests are refused on every port."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.running import RunningStack
from tests.web.serving import WITHIN_S, Served, served
from tests.web.test_connections import statuses

GOOD = '{"customerId":1,"orderTotal":{"amount":1}}'


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("shop") / "log"
    with served([str(Path(__file__).with_name("shop.py"))], log, HTTP_ALLOWED_HOSTS="customers, lab.example") as service:
        yield service


OWN = [
    "localhost",
    "LOCALHOST:1",
    "localhost.",
    "a.localhost:80",
    "127.0.0.1",
    "127.9.9.9:65535",
    "[::1]",
    "[::1]:8080",
    "[::ffff:127.0.0.1]",
]
OWN += ["customers:8082", "Lab.Example"]
FOREIGN = [
    "rebound.example",
    "rebound.example:8081",
    "localhost.example",
    "127.0.0.1.example",
    "localhost@rebound.example",
    "0.0.0.0",
    "10.0.0.1",
]
FOREIGN += [
    "[::]",
    "[fe80::1]",
    "orders",
    "xcustomers",
    "",
    "local host",
    "127.1",
    "2130706433",
    "localhost:80:80",
    "lo\xadcalhost",
    "[::1",
    "ⅼocalhost",
]


def ask(shop: Served, **headers: str) -> int:
    with httpx.Client(base_url=shop.url, trust_env=False, timeout=WITHIN_S) as client:
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        answer = client.post("/orders", content=GOOD, headers=[(b"content-type", b"application/json"), *raw])
        assert answer.status_code == 200 or answer.headers["content-type"] == "application/problem+json"
        return answer.status_code


@pytest.mark.parametrize("host", OWN)
def test_this_machine_and_the_names_that_were_allowed(shop: Served, host: str) -> None:
    assert ask(shop, host=host) == 200
    assert ask(shop, origin=f"http://{host}") == 200
    assert ask(shop, origin=f"https://{host}") == 200


@pytest.mark.parametrize("host", FOREIGN)
def test_other_names_and_other_pages(shop: Served, host: str) -> None:
    assert ask(shop, host=host) in (400, 421)
    assert ask(shop, origin=f"http://{host}") == 403


@pytest.mark.parametrize(
    "origin", ["null", "", "file://", "localhost", "chrome-extension://localhost", "http://localhost http://evil.example"]
)
def test_pages_of_no_host(shop: Served, origin: str) -> None:
    assert ask(shop, origin=origin) == 403


def test_a_form_of_another_site(shop: Served) -> None:
    assert ask(shop, sec_fetch_site="cross-site") == 403
    assert ask(shop, sec_fetch_site="same-site") == 200


def test_the_host_of_the_request_line_counts_and_a_client_without_one_is_no_browser(shop: Served) -> None:
    import socket

    def said(request: bytes) -> list[int]:
        with socket.create_connection(("127.0.0.1", shop.port), timeout=WITHIN_S) as connection:
            connection.sendall(request)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return statuses(answer)

    close = b"Connection: close\r\n\r\n"
    assert said(b"GET http://rebound.example/count HTTP/1.1\r\nHost: localhost\r\n" + close) == [421]
    assert said(b"GET http://localhost:1/count HTTP/1.1\r\nHost: rebound.example\r\n" + close) == [200]
    assert said(b"GET /count HTTP/1.0\r\n\r\n") == [200]


@pytest.mark.parametrize("component", ["gateway", "customers", "orders", "order-history", "relay"])
def test_every_port_of_a_stack(stack: RunningStack, component: str) -> None:
    with httpx.Client(base_url=stack.url(component), trust_env=False, timeout=WITHIN_S) as client:
        assert client.get("/health").status_code == 200
        for path in ("/health", "/orders", "/customers", "/swagger-ui/", "/nothing"):
            assert client.get(path, headers={"host": "rebound.example"}).status_code == 421
            assert client.post(path, headers={"origin": "http://elsewhere"}).status_code == 403


def test_an_order_is_not_cancelled_for_another_page(stack: RunningStack) -> None:
    with httpx.Client(base_url=stack.url("gateway"), trust_env=False, timeout=WITHIN_S) as gateway:
        customer = gateway.post("/customers", json={"name": "Ada", "creditLimit": {"amount": 10}}).json()["customerId"]
        order = gateway.post("/orders", json={"customerId": customer, "orderTotal": {"amount": 1}}).json()["orderId"]
        for headers in ({"origin": "http://elsewhere"}, {"host": "rebound.example"}, {"origin": "null", "content-type": "text/plain"}):
            assert gateway.post(f"/orders/{order}/cancel", headers=headers).status_code in (403, 421)
        assert gateway.get(f"/orders/{order}").json()["orderState"] != "CANCELLED"
