"""The three outcomes of an order, and its cancellation, through the gateway."""

import json
from typing import Any

import pytest

from tests.e2e.shop import eventually, get, new_customer, new_order, order_state, post, request, settled
from tests.running import RunningStack


def history(gateway: str, customer: int) -> Any:
    status, body = request("GET", f"{gateway}/customers/{customer}/orderhistory")
    return json.loads(body) if status == 200 else status


pytestmark = pytest.mark.both_runtimes


def test_orders_end_approved_or_rejected_with_the_reason(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "15.00")
    within, beyond = new_order(gateway, ada, "12.34"), new_order(gateway, ada, "123.40")
    of_nobody = new_order(gateway, 2**63 - 1, "12.34")
    assert settled(gateway, within) == ("APPROVED", None)
    assert settled(gateway, beyond) == ("REJECTED", "INSUFFICIENT_CREDIT")
    assert settled(gateway, of_nobody) == ("REJECTED", "UNKNOWN_CUSTOMER")
    expected = {
        "id": ada,
        "orders": {
            str(within): {"orderId": within, "state": "APPROVED", "orderTotal": {"amount": 12.34}},
            str(beyond): {"orderId": beyond, "state": "REJECTED", "orderTotal": {"amount": 123.4}},
        },
        "name": "Ada",
        "creditLimit": {"amount": 15.0},
        "orderCount": 2,
        "totalApproved": {"amount": 12.34},
    }
    eventually(lambda: history(gateway, ada), expected)


def test_the_credit_limit_keeps_its_two_digits_literally(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "15.00")
    status, body = request("GET", f"{gateway}/customers/{ada}")
    assert (status, body) == (200, b'{"customerId":%d,"name":"Ada","creditLimit":{"amount":15.00}}' % ada)
    eventually(lambda: request("GET", f"{gateway}/customers/{ada}/orderhistory")[1], lambda body: b'"amount":15.00' in body)


def test_cancelling_frees_the_credit(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "15.00")
    first = new_order(gateway, ada, "12.34")
    assert settled(gateway, first) == ("APPROVED", None)
    assert settled(gateway, new_order(gateway, ada, "12.34")) == ("REJECTED", "INSUFFICIENT_CREDIT")
    answer = post(f"{gateway}/orders/{first}/cancel")
    assert answer == {**answer, "orderId": first, "orderState": "CANCELLED", "rejectionReason": None}
    eventually(lambda: stack.sql("select * from customer_db.customer_credit_reservations where credit_reservations_key = %s", first), [])
    assert settled(gateway, new_order(gateway, ada, "15.00")) == ("APPROVED", None)
    cancelled = {"orderId": first, "state": "CANCELLED", "orderTotal": {"amount": 12.34}}
    eventually(lambda: history(gateway, ada), lambda seen: isinstance(seen, dict) and seen["orders"].get(str(first)) == cancelled)


@pytest.mark.parametrize("why", ["rejected", "cancelled", "unknown"])
def test_only_an_approved_order_can_be_cancelled(stack: RunningStack, why: str) -> None:
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "15.00")
    if why == "unknown":
        assert request("POST", f"{gateway}/orders/{2**62}/cancel") == (404, b"")
        return
    order = new_order(gateway, ada, "123.40" if why == "rejected" else "12.34")
    settled(gateway, order)
    if why == "cancelled":
        post(f"{gateway}/orders/{order}/cancel")
    status, body = request("POST", f"{gateway}/orders/{order}/cancel")
    assert status == 409
    problem = json.loads(body)
    assert problem["status"] == 409
    assert str(order) in problem["detail"]


@pytest.mark.parametrize(
    "path", ["/customers/4611686018427387904", "/orders/4611686018427387904", "/customers/4611686018427387904/orderhistory"]
)
def test_an_unknown_id_is_404_with_an_empty_body(stack: RunningStack, path: str) -> None:
    assert request("GET", stack.url("gateway") + path) == (404, b"")


def test_ids_beyond_two_to_the_53_survive(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    large = 2**53 + 1
    stack.sql("insert ignore into customer_db.customer (id, name, amount, creation_time, version) values (%s, 'Big', 100, 0, 0)", large)
    try:
        order = new_order(gateway, large, "1.00")
        assert settled(gateway, order) == ("APPROVED", None)
        assert get(f"{gateway}/customers/{large}")["customerId"] == large
        eventually(lambda: history(gateway, large), lambda seen: isinstance(seen, dict) and str(order) in seen["orders"])
        assert history(gateway, large)["id"] == large
    finally:
        stack.sql("delete from customer_db.customer_credit_reservations where customer_id = %s", large)
        stack.sql("delete from customer_db.customer where id = %s", large)
        # the next customer must not get the id after this one
        stack.sql("alter table customer_db.customer auto_increment = 1")


def test_lists_hold_what_was_made(stack: RunningStack) -> None:
    gateway = stack.url("gateway")
    ada = new_customer(gateway, "20")
    order = new_order(gateway, ada, "4")
    settled(gateway, order)
    shown = {**get(f"{gateway}/orders/{order}"), "orderId": order, "orderState": "APPROVED", "rejectionReason": None}
    assert shown in get(f"{gateway}/orders")["orders"]
    assert ada in [c["customerId"] for c in get(f"{gateway}/customers")["customers"]]
    assert get(f"{stack.url('orders')}/orders/customer/{ada}") == [shown]
    assert order_state(gateway, order) == ("APPROVED", None)
