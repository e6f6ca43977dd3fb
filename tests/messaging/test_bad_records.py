"""Decoding any record yields messages or records to park, in the services and in labkit's own reader."""

import json
import sys
import time
from collections.abc import Callable

import pytest

from labkit.evidence import messages
from services.contracts.customers import CustomerCreated, CustomerCreditReserved
from services.contracts.orders import ORDER, OrderCancelled, OrderCreated, OrderEvent
from services.customers.handlers import order_events
from services.messaging.aggregate_id import MAX_ID
from services.messaging.delivery import decode
from services.messaging.events import DomainEvent, EventHandlers, decode_event
from services.messaging.message import Message, UndecodableMessage
from services.messaging.nesting import MAX_DEPTH, is_too_deep
from services.order_history.view import history_events
from services.orders.handlers import customer_events
from tests.messaging.bad_records import DEPTHS, Bad, bad_records, deep
from tests.messaging.received import received
from tests.running import PROFILE

WIRE = messages.Wire(PROFILE)
HANDLERS = [order_events, customer_events, history_events]


def check(bad: Bad, handlers: EventHandlers) -> None:
    deliveries = decode(received(bad.topic, 0, 7, bad.key, bad.value), handlers)
    assert deliveries, bad.said
    assert [d.ends_record for d in deliveries] == [False] * (len(deliveries) - 1) + [True]
    for delivery in deliveries:
        if delivery.undecodable is not None:
            assert delivery.undecodable, bad.said
            assert not delivery.undecodable.startswith("Traceback"), (bad.said, delivery.undecodable)
        elif delivery.event is not None:
            ids = [v for n in ("id", "customer_id", "order_id") if (v := getattr(delivery.event, n, None)) is not None]
            assert all(0 < number <= MAX_ID for number in ids), bad.said
            amounts = [v for n in ("total", "credit_limit") if (v := getattr(delivery.event, n, None)) is not None]
            assert all(0 <= amount < 10**16 and amount == round(amount, 2) for amount in amounts), bad.said


@pytest.mark.parametrize("seed", range(4))
def test_decoding_never_raises(seed: int) -> None:
    for bad in bad_records(seed, 1_000):
        for handlers in HANDLERS:
            check(bad, handlers)
        for headers, payload in messages.of_record(bad.value):
            WIRE.about(headers, payload)


def nested(frames: int, call: Callable[[], object]) -> None:
    """Calls at a stack depth of `frames`: the decoder's own limit is the remaining stack."""
    if frames:
        nested(frames - 1, call)
    else:
        call()


@pytest.mark.parametrize("depth", [*DEPTHS, *range(880, 1_010, 10)])
@pytest.mark.parametrize("at", ["the envelope", "an unknown field of the payload", "orderTotal", "orderTotal.amount", "a header"])
def test_nesting_at_every_depth_is_taken_or_parked_by_all_alike(depth: int, at: str) -> None:
    token = deep(depth).decode()
    total = {"orderTotal": token, "orderTotal.amount": f'{{"amount":{token}}}'}.get(at, '{"amount":1}')
    more = f',"unknown":{token}' if at == "an unknown field of the payload" else ""
    payload = f'{{"orderDetails":{{"customerId":1,"orderTotal":{total}}}{more}}}'
    names = {"ID": "a", "event-aggregate-type": ORDER, "event-type": OrderCreated.event_type, "event-aggregate-id": "5"}
    headers = json.dumps(names)[:-1] + (f',"x":{token}}}' if at == "a header" else "}")
    outer = f'"x":{token},' if at == "the envelope" else ""
    value = f'{{{outer}"payload":{json.dumps(payload)},"headers":{headers}}}'.encode()
    said: set[str | None] = set()

    def look() -> None:
        for handlers in (order_events, history_events):
            said.update(d.undecodable for d in decode(received(ORDER, 0, 0, None, value), handlers))
        for found in messages.of_record(value):
            WIRE.about(*found)

    for frames in (0, 300, 600):
        nested(min(frames, sys.getrecursionlimit() - 350), look)
    assert len(said) == 1
    unknown = at in ("the envelope", "an unknown field of the payload")
    assert (said == {None}) == (unknown and depth < MAX_DEPTH)


def test_brackets_in_texts_are_no_nesting_and_take_no_time() -> None:
    assert not is_too_deep(b'{"a":"' + b"[" * 5_000 + b'\\"' + b"{" * 5_000 + b'"}')
    assert is_too_deep(b'{"a":"\\\\",' + b"[" * 5_000)
    begin = time.process_time()
    is_too_deep(b"[" * 300 + b'"' + b'\\"' * 500_000)
    is_too_deep(b'["' * 500_000)
    assert time.process_time() - begin < 5  # quadratic time would be hours


WRONG_IDS = ["", " ", "0", "-1", "-5", "+5", "05", " 5", "5 ", "5\n", "1_0", "١٢", "５", "5.0", "1e2", "9" * 30, str(MAX_ID + 1), "x"]


@pytest.mark.parametrize("event", [OrderCreated, OrderCancelled, CustomerCreated, CustomerCreditReserved])
@pytest.mark.parametrize("text", WRONG_IDS)
def test_an_aggregate_id_that_is_none_is_parked(event: type[DomainEvent], text: str) -> None:
    payload = '{"orderDetails":{"customerId":1,"orderTotal":1},"name":"Ada","creditLimit":1,"customerId":1,"orderId":1}'
    assert decode_event(Message("c", {"event-aggregate-id": "5"}, payload), event).aggregate_id == 5
    with pytest.raises(UndecodableMessage, match="event-aggregate-id must be a whole number from 1 to"):
        decode_event(Message("c", {"event-aggregate-id": text}, payload), event)


@pytest.mark.parametrize(
    ("event", "payload", "cause"),
    [
        (OrderCreated, '{"orderDetails":{"orderTotal":{"amount":1}}}', "the event OrderCreated lacks the field orderDetails.customerId"),
        (OrderCreated, "{}", "the event OrderCreated lacks the field orderDetails"),
        (OrderCreated, '{"orderDetails":{"customerId":1,"orderTotal":-1000}}', "orderTotal must be more than zero"),
        (OrderCreated, '{"orderDetails":{"customerId":1,"orderTotal":0}}', "orderTotal must be more than zero"),
        (OrderCreated, '{"orderDetails":{"customerId":1,"orderTotal":"1_0"}}', "orderTotal must be a number"),
        (OrderCreated, '{"orderDetails":{"customerId":1,"orderTotal":{"amount":" 1 "}}}', "orderTotal must be a number"),
        (OrderCreated, '{"orderDetails":{"customerId":1,"orderTotal":{"amount":"١٢"}}}', "orderTotal must be a number"),
        (OrderCreated, '{"orderDetails":{"customerId":1,"orderTotal":1.234}}', "orderTotal must have at most 2 decimal places"),
        (OrderCreated, '{"orderDetails":{"customerId":1,"orderTotal":1e30}}', "orderTotal must have at most 15 digits"),
        (OrderCreated, '{"orderDetails":{"customerId":-1,"orderTotal":1}}', "orderDetails.customerId: Expected `int` >= 1"),
        (OrderCreated, f'{{"orderDetails":{{"customerId":{MAX_ID + 1},"orderTotal":1}}}}', "orderDetails.customerId: Expected `int` <= "),
        (OrderCreated, f'{{"orderDetails":{{"customerId":{"9" * 30},"orderTotal":1}}}}', "orderDetails.customerId: "),
        (OrderCancelled, '{"orderDetails":{"customerId":0,"orderTotal":1}}', "orderDetails.customerId: "),
        (CustomerCreated, '{"name":"Ada","creditLimit":{"amount":-1}}', "creditLimit must not be negative"),
        (CustomerCreated, '{"name":"Ada"}', "the event CustomerCreated lacks the field creditLimit"),
        (CustomerCreated, '{"creditLimit":1}', "the event CustomerCreated lacks the field name"),
        (CustomerCreditReserved, '{"customerId":1}', "the event CustomerCreditReserved lacks the field orderId"),
        (CustomerCreditReserved, f'{{"customerId":1,"orderId":{2**63}}}', "orderId: Expected `int` <= "),
        (CustomerCreditReserved, '{"customerId":1,"orderId":0}', "orderId: Expected `int` >= 1"),
        (CustomerCreditReserved, '{"customerId":-7,"orderId":1}', "customerId: Expected `int` >= 1"),
    ],
)
def test_the_cause_says_what_the_publisher_left_out_or_wrote_wrongly(event: type[OrderEvent], payload: str, cause: str) -> None:
    with pytest.raises(UndecodableMessage) as raised:
        decode_event(Message("c", {"event-aggregate-id": "5"}, payload), event)
    assert cause in str(raised.value)
    assert str(raised.value).startswith(f"the event {event.__name__} ")


def test_what_a_learners_own_event_raises_is_parked_with_its_traceback() -> None:
    class Own(OrderCreated, frozen=True):
        @classmethod
        def from_payload(cls, aggregate_id: int, payload: object) -> "Own":
            return payload.no_such_thing  # type: ignore[no-any-return, attr-defined]

    handlers = EventHandlers()
    handlers.handles(Own)(lambda event, tx: None)
    [record] = [b for b in bad_records(1, 400, ORDER) if b.said == "OrderCreatedEvent"][:1]
    [delivery] = decode(received(ORDER, 0, 0, None, record.value), handlers)
    assert delivery.undecodable is not None
    assert delivery.undecodable.splitlines()[-1].startswith("AttributeError: ")
