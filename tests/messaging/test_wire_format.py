"""Rows and records equal those of the Java original: test vectors from its specification."""

import json
import struct
from decimal import Decimal

import pytest

from services.contracts.customers import CustomerCreated, CustomerCreditReserved
from services.contracts.orders import ORDER, OrderCreated
from services.messaging.events import decode_event, event_headers, event_payload
from services.messaging.message import Message, UndecodableMessage, http_date, new_message, record_value
from services.messaging.multi_message import MAGIC, decode_record
from services.messaging.relay.polling import _record

HEADERS = {
    "PARTITION_ID": "5",
    "event-aggregate-type": "io.eventuate.examples.tram.ordersandcustomers.orders.domain.Order",
    "DATE": "Wed, 1 Apr 2026 07:26:10 GMT",
    "event-aggregate-id": "5",
    "event-type": "io.eventuate.examples.tram.ordersandcustomers.orders.domain.OrderCreatedEvent",
    "DESTINATION": "io.eventuate.examples.tram.ordersandcustomers.orders.domain.Order",
    "ID": "0000019d47ef7a50-0242ac1200050000",
}
PAYLOAD = '{"orderDetails":{"customerId":1,"orderTotal":{"amount":12.34}}}'
ORDER_CREATED = OrderCreated(5, 1, Decimal("12.34"))


def test_an_event_becomes_the_outbox_row_of_the_original() -> None:
    message = new_message(HEADERS["ID"], ORDER, "5", event_headers(ORDER_CREATED), event_payload(ORDER_CREATED), now=1775028370.9)
    assert message.payload == PAYLOAD
    assert message.headers == HEADERS


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        (CustomerCreated(7, "John", Decimal("15.00")), '{"name":"John","creditLimit":{"amount":15.00}}'),
        (CustomerCreditReserved(1, 5), '{"customerId":1,"orderId":5}'),
        (OrderCreated(99, 101, Decimal(123)), '{"orderDetails":{"customerId":101,"orderTotal":{"amount":123}}}'),
    ],
)
def test_payloads_are_literally_those_of_the_original(event: OrderCreated, payload: str) -> None:
    assert event_payload(event) == payload


def test_a_row_becomes_the_record_of_the_original() -> None:
    record = _record((HEADERS["ID"], ORDER, json.dumps(HEADERS), PAYLOAD))
    assert (record.channel, record.key) == (ORDER, b"5")
    value = json.loads(record.value)
    assert value == {"payload": PAYLOAD, "headers": HEADERS}
    assert all(isinstance(v, str) for v in value["headers"].values())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1775028370, "Wed, 1 Apr 2026 07:26:10 GMT"), (0, "Thu, 1 Jan 1970 00:00:00 GMT"), (1791849599, "Mon, 12 Oct 2026 23:59:59 GMT")],
)
def test_dates_have_no_leading_zero_in_the_day(seconds: int, text: str) -> None:
    assert http_date(seconds) == text


def test_events_survive_the_way_there_and_back() -> None:
    [message] = decode_record(ORDER, record_value(json.dumps(HEADERS), PAYLOAD))
    assert message.id == HEADERS["ID"]
    assert decode_event(message, OrderCreated) == ORDER_CREATED


@pytest.mark.parametrize("amount", ['{"amount":12.34}', '{"amount":"12.34"}', '"12.34"', "12.34", '{"amount":12.34,"currency":"USD"}'])
def test_money_is_understood_in_every_form_the_original_takes(amount: str) -> None:
    payload = f'{{"orderDetails":{{"customerId":1,"orderTotal":{amount},"more":1}},"unknown":[]}}'
    assert decode_event(Message(ORDER, HEADERS, payload), OrderCreated) == ORDER_CREATED


@pytest.mark.parametrize(
    "payload",
    [
        *("", "{}", "[]", "null", '{"orderDetails":null}'),
        '{"orderDetails":{"customerId":1,"orderTotal":null}}',
        '{"orderDetails":{"customerId":null,"orderTotal":{"amount":1}}}',
        '{"orderDetails":{"customerId":1,"orderTotal":{}}}',
        '{"orderDetails":{"customerId":1,"orderTotal":{"amount":1e99999}}}',
        '{"orderDetails":{"customerId":1,"orderTotal":{"amount":1.234}}}',
    ],
)
def test_payloads_that_make_no_sense_are_undecodable(payload: str) -> None:
    with pytest.raises(UndecodableMessage):
        decode_event(Message(ORDER, HEADERS, payload), OrderCreated)


def frame(*values: bytes) -> bytes:
    """Several messages in the Java relay's binary frame, each with one header."""

    def text(b: bytes) -> bytes:
        return struct.pack("<I", len(b)) + b

    header = struct.pack("<HH", 0, 1) + text(b"h") + text(b"x")
    messages = b"".join(header + text(b"key") + text(value) for value in values)
    return MAGIC + struct.pack("<HHHH", 0, 1, 1, 0) + struct.pack("<HH", 0, 0) + struct.pack("<HH", 0, len(values)) + messages


def test_records_of_several_messages_are_read() -> None:
    first, second = (json.dumps({"payload": str(n), "headers": {"ID": f"m-{n}"}}).encode() for n in (1, 2))
    assert [m.id for m in decode_record("c", frame(first, second))] == ["m-1", "m-2"]


def test_the_single_message_frame_is_the_published_62_bytes() -> None:
    one = bytes.fromhex("0000 0100 0100 0000  0000 0000  0000 0100  0000 0000  01000000 6b  01000000 76")
    assert len(MAGIC + one) == 62
    with pytest.raises(UndecodableMessage, match="not a message"):  # the value is `v`, which is not JSON: the frame was parsed correctly
        decode_record("c", MAGIC + one)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff",
        b"{",
        b"[]",
        b'{"payload":"x"}',
        b'{"payload":"x","headers":{}}',
        b'{"payload":1,"headers":{"ID":"a"}}',
        b'{"payload":"x","headers":{"ID":"\\ud800"}}',
        b'{"payload":"x","headers":{"ID":"%s"}}' % (b"9" * 256),
    ],
)
def test_values_that_are_no_messages_are_undecodable(value: bytes | None) -> None:
    with pytest.raises(UndecodableMessage):
        decode_record("c", value)


@pytest.mark.parametrize("cut", range(33, 62))
def test_a_frame_that_is_cut_short_is_undecodable(cut: int) -> None:
    whole = frame(b'{"payload":"1","headers":{"ID":"m-1"}}')
    with pytest.raises(UndecodableMessage):
        decode_record("c", whole[:cut])
