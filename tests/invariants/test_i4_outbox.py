from tests.invariants.judged import FAIL, PASS, kinds, outcome, result, shop


def test_a_row_that_never_reached_kafka_though_it_is_marked() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    history.con.execute("delete from records where event = 'OrderApproved'")
    found = result(history, "I4")
    assert found.outcome is FAIL
    assert found.first
    assert found.first.sentence == "OrderApproved of order 9 (12.34) is in the outbox of orders, but Kafka never received it."
    assert "though it marked it as published" in found.first.so


def test_the_mark_alone_decides_nothing() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    history.con.execute("update outbox set published = false")
    assert outcome(history, "I4") is PASS


def test_a_message_that_no_outbox_holds() -> None:
    history = shop()
    history.record("from-nowhere", event="OrderCreated", order_id=9, customer_id=4, key="9", aggregate_id=9)
    assert kinds(history, "I4") == ["stranger"]


def test_what_labkit_planted_is_left_out() -> None:
    history = shop()
    for topic, partition, offset in (
        history.record("from-labkit", event="OrderCreated", order_id=9, customer_id=4, key="9"),
        history.record(None),
    ):
        history.add("planted_records", fault_id=1, topic=topic, partition_no=partition, offset_no=offset)
    assert outcome(history, "I4") is PASS


def test_a_record_that_is_no_message() -> None:
    history = shop()
    history.record(None, key="poison")
    assert kinds(history, "I4") == ["no_message"]


def test_the_wrong_topic() -> None:
    history = shop()
    history.con.execute("update records set topic = 'Elsewhere', channel = 'Elsewhere' where event = 'CustomerCreated' and customer_id = 4")
    assert kinds(history, "I4") == ["elsewhere", "unpublished"]


def test_published_twice_is_at_least_once() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    history.repeat("OrderCreated", 9)
    assert outcome(history, "I4") is PASS


def test_a_row_that_was_cleared_away_after_it_was_published() -> None:
    history = shop()
    history.con.execute("delete from outbox")
    assert outcome(history, "I4") is PASS


def test_an_order_of_unknown_outcome_is_told_of_when_it_is_there() -> None:
    history = shop()
    history.request("create_order", "unknown", customer_id=4, total="2.00")
    history.order(9, 4, "2.00", asked=False)
    assert outcome(history, "I4") is PASS
