"""Invalid input gets a 4xx problem document that names the field, and nothing of it is stored."""

import http.client
import json
import random
from typing import Any

import pytest

from tests.e2e.shop import new_customer, new_order, request, settled
from tests.running import RunningStack

MAX = 2**63 - 1
CUSTOMER: list[tuple[str, str, str | None]] = [
    ("name missing", '{"creditLimit":{"amount":1}}', "name"),
    ("name null", '{"name":null,"creditLimit":{"amount":1}}', "name"),
    ("name number", '{"name":7,"creditLimit":{"amount":1}}', "name"),
    ("name blank", '{"name":"  ","creditLimit":{"amount":1}}', "name"),
    ("name of 256", json.dumps({"name": "x" * 256, "creditLimit": {"amount": 1}}), "name"),
    ("limit missing", '{"name":"Ada"}', "creditLimit"),
    ("limit null", '{"name":"Ada","creditLimit":null}', "creditLimit"),
    ("limit empty", '{"name":"Ada","creditLimit":{}}', "creditLimit.amount"),
    ("limit negative", '{"name":"Ada","creditLimit":{"amount":-1}}', "creditLimit.amount"),
    ("limit of 3 places", '{"name":"Ada","creditLimit":{"amount":1.001}}', "creditLimit.amount"),
    ("limit text", '{"name":"Ada","creditLimit":{"amount":"much"}}', "creditLimit.amount"),
    ("limit NaN", '{"name":"Ada","creditLimit":{"amount":"NaN"}}', "creditLimit.amount"),
    ("limit huge", '{"name":"Ada","creditLimit":{"amount":1e300}}', "creditLimit.amount"),
    ("limit true", '{"name":"Ada","creditLimit":{"amount":true}}', "creditLimit.amount"),
    ("limit list", '{"name":"Ada","creditLimit":[1]}', "creditLimit"),
    ("not an object", "[1]", None),
    ("not JSON", "{name:Ada}", None),
    ("empty", "", None),
]
ORDER: list[tuple[str, str, str | None]] = [
    ("customer missing", '{"orderTotal":{"amount":1}}', "customerId"),
    ("customer null", '{"customerId":null,"orderTotal":{"amount":1}}', "customerId"),
    ("customer text", '{"customerId":"1","orderTotal":{"amount":1}}', "customerId"),
    ("customer float", '{"customerId":1.5,"orderTotal":{"amount":1}}', "customerId"),
    ("customer zero", '{"customerId":0,"orderTotal":{"amount":1}}', "customerId"),
    ("customer beyond 64 bits", f'{{"customerId":{MAX + 1},"orderTotal":{{"amount":1}}}}', "customerId"),
    ("customer far beyond", f'{{"customerId":{10**40},"orderTotal":{{"amount":1}}}}', "customerId"),
    ("total missing", '{"customerId":1}', "orderTotal"),
    ("total null", '{"customerId":1,"orderTotal":null}', "orderTotal"),
    ("total amount null", '{"customerId":1,"orderTotal":{"amount":null}}', "orderTotal.amount"),
    ("total zero", '{"customerId":1,"orderTotal":{"amount":0}}', "orderTotal.amount"),
    ("total negative", '{"customerId":1,"orderTotal":{"amount":-5}}', "orderTotal.amount"),
    ("total of 3 places", '{"customerId":1,"orderTotal":{"amount":0.001}}', "orderTotal.amount"),
    ("total huge", '{"customerId":1,"orderTotal":{"amount":1e1000000000}}', "orderTotal.amount"),
    ("not JSON", "}{", None),
]


@pytest.fixture(scope="module", autouse=True)
def at_rest(shared_stack: RunningStack) -> None:
    """Changes that earlier tests caused must not appear here."""
    shared_stack.labkit("reset", "--yes")


def stored(stack: RunningStack) -> list[dict[str, Any]]:
    tables = ("customer_db.customer", "customer_db.message", "order_db.orders", "order_db.message")
    return stack.sql(" union all ".join(f"select '{t}' as t, count(*) as n from {t}" for t in tables))


@pytest.mark.parametrize("through", ["gateway", "direct"])
def test_bad_input_is_refused_with_the_field_and_not_stored(stack: RunningStack, through: str) -> None:
    before = stored(stack)
    wrong = []
    for path, service, cases in (("/customers", "customers", CUSTOMER), ("/orders", "orders", ORDER)):
        base = stack.url(service if through == "direct" else "gateway")
        for case, body, field in cases:
            status, answer = request("POST", base + path, raw=body.encode())
            problem = json.loads(answer)
            names_it = field is None or problem.get("field") in (field, field.split(".")[0])
            if not (400 <= status < 500 and problem["status"] == status and names_it):
                wrong.append((path, case, status, problem))
    assert wrong == []
    assert stored(stack) == before


def test_a_body_of_10_megabytes_is_refused(stack: RunningStack) -> None:
    before = stored(stack)
    body = b'{"name":"' + b"x" * 10_000_000 + b'","creditLimit":{"amount":1}}'
    for service in ("gateway", "customers"):
        assert request("POST", stack.url(service) + "/customers", raw=body)[0] == 413
    assert stored(stack) == before


def test_another_content_type_is_refused(stack: RunningStack) -> None:
    for service in ("gateway", "customers"):
        body = b'{"name":"Ada","creditLimit":{"amount":1}}'
        assert request("POST", stack.url(service) + "/customers", raw=body, content_type="text/plain")[0] == 415


@pytest.mark.parametrize("path", ["/orders/x", f"/orders/{MAX + 1}", "/orders/1.5", f"/customers/{10**30}", "/customers/%00", "/orders/-"])
def test_an_id_that_is_none_is_a_problem(stack: RunningStack, path: str) -> None:
    status, body = request("GET", stack.url("gateway") + path)
    assert status == 400
    assert json.loads(body)["status"] == 400


def test_services_survive_10_000_random_malformed_requests(stack: RunningStack) -> None:
    before = stored(stack)
    chance = random.Random(2026)
    seeds = [body.encode() for _, body, _ in CUSTOMER + ORDER]
    seeds += [b'{"name":"Ada","creditLimit":{"amount":1}}', b"\xff\xfe\x00", b"[" * 5000]
    statuses: dict[int, int] = {}
    connections = {service: http.client.HTTPConnection(stack.url(service).removeprefix("http://")) for service in ("customers", "orders")}
    for _ in range(10_000):
        path, service = chance.choice((("/customers", "customers"), ("/orders", "orders")))
        body = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(body) + 1)
            body[at : at + chance.randint(0, 3)] = chance.choice((b"", b"\x00", b"{", b'"', b"\\ud800", b"-", b"null", chance.randbytes(2)))
        # The extra bracket makes each body malformed for certain, whatever the random bytes are.
        connections[service].request("POST", path, bytes(body) + b"]", {"content-type": "application/json"})
        with connections[service].getresponse() as answer:
            answer.read()
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
    for connection in connections.values():
        connection.close()
    assert all(400 <= status < 500 for status in statuses), statuses
    assert stored(stack) == before
    gateway = stack.url("gateway")
    assert settled(gateway, new_order(gateway, new_customer(gateway), "12.34")) == ("APPROVED", None)
