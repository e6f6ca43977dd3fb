"""A message names who is at fault, which handler ran, and what Python said."""

import json
from typing import Any

import pytest

from labkit.evidence import handlers
from labkit.trace.order import story_of
from labkit.trace.payload import fault_of, fields_of
from labkit.trace.tables import EvidenceTables
from labkit.verdict.judge import Judgement, judge
from tests.invariants.history import CUSTOMERS, ORDERS, History
from tests.invariants.judged import result, shop

LOG = [
    '{"time":1.5,"event":"serving","port":8082}',
    "/home/ada/workshop/services/customers/handlers.py:36: RuntimeWarning: coroutine 'release' was never awaited",
    "  store.release(tx, order.customer_id, order.id)",
    "RuntimeWarning: Enable tracemalloc to get the object allocation traceback",
    '{"time":2.5,"event":"handled","message_id":"ID","aggregate_id":"9","type":"OrderCancelledEvent","handler":"release_credit","begin":1,"commit":2}',
    '{"time":2.5,"event":"handled","message_id":"other","handler":null}',
    '{"time":2.5,"event":"handled","message_id":4}',
    '{"event":"handled"' + "[" * 5000,
    'not JSON, and "handled" is in it',
]


def test_what_a_log_tells_of_handlers_and_warnings() -> None:
    assert list(handlers.handled(LOG)) == [("ID", "release_credit"), ("other", None)]
    assert handlers.warned(LOG * 2) == ["RuntimeWarning: coroutine 'release' was never awaited (handlers.py, line 36)"]


def told(history: History, component: str, event: str, handler: str | None) -> None:
    history.add("handlings", component=component, message_id=history.message_id(event, 9), handler=handler)


def kept_reservation() -> History:
    history = shop()
    history.saga(9, 4, "12.34")
    history.cancel(9)
    history.release(9, held=False)
    return history


def so(history: History, invariant: str) -> str:
    found = result(history, invariant).first
    assert found
    return found.so


def test_a_handler_that_ran_and_changed_nothing_is_named_and_the_warning_quoted() -> None:
    history = kept_reservation()
    told(history, "customers", "OrderCancelled", "release_credit")
    history.add("warnings", component="customers", text="RuntimeWarning: coroutine 'release' was never awaited (handlers.py, line 36)")
    ran = "its handler release_credit ran and changed nothing, and Python warned: "
    ran += "RuntimeWarning: coroutine 'release' was never awaited (handlers.py, line 36)."
    assert so(history, "I2") == f"customers got the event and did nothing with it: {ran}"
    assert so(history, "I6") == f"customers committed the inbox row but not the effect: {ran}"


def test_where_no_handler_ran_or_nobody_says_it_is_asked_which_one() -> None:
    history = kept_reservation()
    assert so(history, "I2").endswith("which handler takes OrderCancelled?")
    told(history, "customers", "OrderCancelled", None)
    assert so(history, "I2").endswith("which handler takes OrderCancelled?")


@pytest.mark.parametrize(
    ("service", "event", "begin"),
    [("customers", "OrderCreated", lambda h: None), ("orders", "CustomerCreditReserved", lambda h: h.reserve(9))],
)
def test_a_pending_order_names_the_handler_too(service: str, event: str, begin: Any) -> None:
    history = shop()
    history.order(9, 4, "12.34")
    begin(history)
    with history.commit():
        history.receive(CUSTOMERS if service == "customers" else ORDERS, event, 9)
    told(history, service, event, "its_handler")
    diagnosis = story_of(history.con, 9).diagnosis
    assert diagnosis
    assert diagnosis.text.endswith("its handler its_handler ran and changed nothing.")


# fields that an event lacks


AMOUNT, WHOLE = "which is not an amount", "which is not a whole number"
ORDER = {"orderDetails": {"customerId": 4, "orderTotal": {"amount": 12.34}}}


@pytest.mark.parametrize(
    ("event", "payload", "fault"),
    [
        ("OrderCreated", ORDER, None),
        ("OrderCreated", {"orderDetails": {**ORDER["orderDetails"], "note": 1}, "more": 2}, None),
        ("OrderCreated", {"orderDetails": {"customerId": 4, "orderTotal": 12}}, None),
        ("OrderCreated", {}, "without orderDetails.customerId"),
        ("OrderCreated", [], "without orderDetails.customerId"),
        ("OrderApproved", {"orderDetails": {"customerId": 4}}, "without orderDetails.orderTotal"),
        ("OrderCancelled", {"orderDetails": {"customerId": "4", "orderTotal": 1}}, f'with orderDetails.customerId = "4", {WHOLE}'),
        ("OrderRejected", {"orderDetails": {"customerId": 4, "orderTotal": None}}, f"with orderDetails.orderTotal = null, {AMOUNT}"),
        ("CustomerCreated", {"name": "Ada", "creditLimit": {"amount": 15}}, None),
        ("CustomerCreated", {"name": "Ada"}, "without creditLimit"),
        ("CustomerCreditReserved", {"customerId": 4, "orderId": 9}, None),
        ("CustomerCreditReserved", {"customerId": 4}, "without orderId"),
        ("CustomerValidationFailed", {"orderId": True, "customerId": 4}, "with orderId = true, which is not a whole number"),
        ("SomethingElse", {}, None),
        (None, {}, None),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_event(event: str | None, payload: Any, fault: str | None) -> None:
    assert fault_of(fields_of(EvidenceTables(History().con), event), json.dumps(payload)) == fault


@pytest.mark.parametrize("payload", ["", "{", "[" * 5000, '{"customerId": 1e99999999999999999999}'])
def test_a_payload_that_is_no_json(payload: str) -> None:
    assert fault_of({"name": "text"}, payload) == "with a payload that is not JSON"


def parked(payload: object) -> Judgement:
    history = shop()
    history.order(9, 4, "12.34")
    with history.commit():
        history.receive(CUSTOMERS, "OrderCreated", 9)
        history.publish("CustomerCreditReserved", order_id=9, customer_id=4)
        history.hold(4, 9, history._orders[9][1])
    history.park(
        ORDERS, "CustomerCreditReserved", 9, "the event CustomerCreditReserved cannot be read: Object missing required field `orderId`"
    )
    history.con.execute(
        "UPDATE outbox SET payload = ? WHERE id = ?", [json.dumps(payload), history.message_id("CustomerCreditReserved", 9)]
    )
    return judge(history.con)


def test_an_event_that_lacks_a_field_is_its_publishers_fault() -> None:
    finding = parked({"customerId": 4}).findings[0]
    assert finding.sentence.startswith("customers published CustomerCreditReserved of order 9 without orderId, and orders gave it up")
    assert finding.because[0].text == 'its payload is {"customerId": 4}'


def test_an_event_that_is_as_it_must_be_is_its_subscribers_matter() -> None:
    assert parked({"customerId": 4, "orderId": 9}).findings[0].sentence.startswith("orders gave up CustomerCreditReserved of order 9")


def test_what_should_be_available_leaves_out_all_that_is_held_wrongly() -> None:
    history = shop()
    for order, total in ((9, "5.00"), (10, "4.00"), (11, "6.00")):
        history.saga(order, 4, total)
    for order in (9, 10):
        history.cancel(order)
        history.release(order, held=False)
    found = result(history, "I2").first
    assert found
    assert found.sentence.endswith("0.00 is available, 9.00 should be.")
