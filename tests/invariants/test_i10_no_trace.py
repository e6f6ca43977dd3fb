from tests.invariants.judged import FAIL, PASS, kinds, outcome, result, shop


def test_an_event_of_an_order_that_never_was() -> None:
    history = shop()
    history.record("sent-before-the-commit", event="OrderCreated", order_id=17, customer_id=4, aggregate_id=17, key="17")
    with history.commit():
        from decimal import Decimal

        history.hold(4, 17, Decimal("12.34"))
    found = result(history, "I10")
    assert found.outcome is FAIL
    assert found.first
    assert found.first.sentence.startswith("OrderCreated is about order 17 (Order, partition ")
    assert found.first.because[-1].text == '12.34 of the credit of customer 4 "Ada" is reserved for it'


def test_a_customer_that_never_was() -> None:
    history = shop()
    with history.commit():
        history.publish("CustomerCreated", customer_id=77)
    assert kinds(history, "I10") == ["no_customer"]


def test_an_unknown_customer_is_no_trace_but_the_order_must_exist() -> None:
    history = shop()
    history.rejected(9, 99, "1.00", "UNKNOWN_CUSTOMER")
    assert outcome(history, "I10") is PASS
    with history.commit():
        history.publish("CustomerValidationFailed", order_id=10, customer_id=99)
    assert kinds(history, "I10") == ["no_order"]


def test_what_was_there_and_is_deleted_now_did_exist() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    history.con.execute("delete from orders")
    assert kinds(history, "I10") == []


def test_what_labkit_planted_is_left_out() -> None:
    history = shop()
    topic, partition, offset = history.record("planted", event="OrderCreated", order_id=17, customer_id=4, aggregate_id=17, key="17")
    history.add("planted_records", fault_id=1, topic=topic, partition_no=partition, offset_no=offset)
    assert outcome(history, "I10") is PASS


def test_an_order_of_unknown_outcome_that_is_not_there_left_no_trace() -> None:
    history = shop()
    history.request("create_order", "unknown", customer_id=4, total="2.00")
    assert outcome(history, "I10") is PASS
