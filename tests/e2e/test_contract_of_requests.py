"""The OpenAPI document and the services agree on valid requests: they judge every value around every boundary alike."""

import json
import re
from collections.abc import Iterator
from decimal import MIN_EMIN, Context, Decimal
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.shop import request
from tests.running import ROOT, RunningStack

DOCUMENT = json.loads((ROOT / "services" / "gateway" / "openapi.json").read_text(), parse_float=Decimal)
GOOD = {"customerId": "1", "orderTotal": '{"amount":12.34}', "name": '"Ada"', "creditLimit": '{"amount":15.00}'}

_AMOUNTS = """
0 -0 0.0 -0.00 0.01 -0.01 0.001 0.009 0.010 1 1.0 1.00 1.10 1.000 1e2 1E+2 1e-2 1e-3 1e-45 -1 12.34 12.345
999999999999999 999999999999999.99 1000000000000000 999999999999999.999 1e14 1e15 1e300 1e400000000 1e-400000000 1e99999999999999999999
99999999999999999999999999999999 0.00000000000000000000000000000000000001"""
_TEXTS = """
1_0 ١٢ １２ 1,5 +1 0x10 1e2 1e400000000 .5 5. -1 -0 0 0.00 0.01 00.01 12.34 12.345 1.100 007 NaN sNaN Infinity -Infinity inf
999999999999999.99 1000000000000000 much true null"""
_OTHERS = """
null true false [] [1] {} {"amount":null} {"amount":{}} {"amount":{"amount":1}} {"amount":[1]} {"value":1}"""
_IDS = """
0 1 -1 9223372036854775807 9223372036854775808 1.5 1e0 1.0 true null [] {} 99999999999999999999999999 "1" "١" "1_0" "" "+1" """
AMOUNTS, TEXTS, OTHERS, IDS = (text.split() for text in (_AMOUNTS, _TEXTS, _OTHERS, _IDS))
BLANKS = [" 1 ", "1 ", " 1", "1\n", "\u00a01", "1\u2028", ""]
NAMES = ["Ada", "", " ", "\t\n", "\u00a0", "\u2003", " x ", "x" * 255, "x" * 256, "𝒳" * 255, "𝒳" * 256, "a\0b", "\0", "\x1b[2J", "\u202e"]


def amounts() -> Iterator[str]:
    bare = [*AMOUNTS, *(json.dumps(text) for text in TEXTS + BLANKS)]
    yield from bare
    yield from (f'{{"amount":{value}}}' for value in bare)
    yield from OTHERS
    yield '{"amount":1,"currency":"EUR"}'


def cases() -> Iterator[tuple[str, str, str]]:
    """(schema, field, JSON of the field)"""
    for value in amounts():
        yield "CreateCustomer", "creditLimit", value
        yield "CreateOrder", "orderTotal", value
    for name in [*map(json.dumps, NAMES), "7", "null", "[]", "{}", "true"]:
        yield "CreateCustomer", "name", name
    for value in IDS:
        yield "CreateOrder", "customerId", value


def body(schema: str, field: str, value: str) -> str:
    names = ("customerId", "orderTotal") if schema == "CreateOrder" else ("name", "creditLimit")
    return "{" + ",".join(f'"{name}":{value if name == field else GOOD[name]}' for name in names) + "}"


def conforms(value: Any, schema: dict[str, Any]) -> bool:
    """Validates against the parts of JSON Schema that the document uses, for numbers of any size."""
    if "$ref" in schema:
        return conforms(value, DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return any(conforms(value, each) for each in schema["anyOf"])
    kind = schema["type"]
    if kind == "object":
        named = schema.get("properties", {})
        return isinstance(value, dict) and all(name in value for name in schema["required"]) and all(
            conforms(value[name], named[name]) for name in named if name in value
        )  # fmt: skip
    if kind == "string":
        long = isinstance(value, str) and len(value) > schema.get("maxLength", 1 << 30)
        return isinstance(value, str) and not long and re.search(schema.get("pattern", "").replace("$", r"\Z"), value) is not None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    if kind == "integer" and not isinstance(value, int):
        return False
    if not schema["minimum"] <= value <= schema["maximum"]:
        return False
    return "multipleOf" not in schema or not value or EXACT.remainder(Decimal(value), schema["multipleOf"]) == 0


EXACT = Context(prec=100, Emin=MIN_EMIN)
ALL = list(cases())


@pytest.fixture(scope="module", autouse=True)
def at_rest(shared_stack: RunningStack) -> None:
    shared_stack.labkit("reset", "--yes")


def test_what_the_document_allows_is_taken_and_nothing_else(stack: RunningStack) -> None:
    disagree = []
    for schema, field, value in ALL:
        sent = body(schema, field, value)
        try:
            allowed = conforms(json.loads(sent, parse_float=Decimal), DOCUMENT["components"]["schemas"][schema])
        except ArithmeticError:  # 1e99999999999999999999: exceeds Decimal's own limits, far above any maximum
            allowed = False
        path, service = ("/orders", "orders") if schema == "CreateOrder" else ("/customers", "customers")
        status, answer = request("POST", stack.url(service) + path, raw=sent.encode())
        if status != (200 if allowed else 400):
            disagree.append((field, value[:80], "allowed" if allowed else "not allowed", status, answer[:100]))
    assert disagree == []
    stored = {row["credit_limit"] for row in stack.sql("select amount as credit_limit from customer_db.customer")}
    assert {Decimal("0.00"), Decimal("0.01"), Decimal("999999999999999.99")} < stored
    assert not [limit for limit in stored if limit.is_signed()]


PATHS = ["1_0", "١", "+1", "%201", "1%20", "1%0A", "1.0", "1e0", "0x1", "９", "1%00", "--1", "-", "²"]


@pytest.mark.parametrize("path", ["/orders/{}", "/customers/{}", "/orders/customer/{}", "/customers/{}/orderhistory"])
def test_ids_in_a_path_are_plain_digits(stack: RunningStack, path: str) -> None:
    for id_ in PATHS:
        assert request("GET", stack.url("gateway") + path.format(quote(id_, safe="%")))[0] == 400, id_
    assert request("POST", stack.url("gateway") + "/orders/1_0/cancel")[0] == 400
