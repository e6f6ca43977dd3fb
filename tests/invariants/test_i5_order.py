from tests.invariants.history import TOPICS
from tests.invariants.judged import FAIL, PASS, kinds, outcome, result, shop


def test_two_partitions_for_one_order() -> None:
    history = shop()
    history.order(9, 4, "12.34", published=False)
    with history.commit():
        history.publish("OrderCreated", order_id=9, partition_no=1)
    with history.commit():
        history.publish("OrderApproved", order_id=9, partition_no=3, key="7f3a")
    found = result(history, "I5")
    assert found.outcome is FAIL
    assert found.first
    assert found.first.sentence == "The messages of order 9 (12.34) are in two partitions of Order: OrderCreated in 1, OrderApproved in 3."
    assert "'7f3a'" in found.first.so


def test_published_in_the_wrong_order() -> None:
    history = shop()
    history.order(9, 4, "12.34", published=False)
    with history.commit():
        created = history.publish("OrderCreated", order_id=9, relayed=False)
    with history.commit():
        approved = history.publish("OrderApproved", order_id=9, relayed=False)
    for message, event in ((approved, "OrderApproved"), (created, "OrderCreated")):
        history.record(message, partition_no=2, key="9", event=event, order_id=9, aggregate_id=9)
    assert kinds(history, "I5") == ["overtaken"]


def test_a_relay_that_crashed_repeats_and_only_first_copies_count() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    for event in ("OrderCreated", "OrderApproved", "OrderCreated"):
        history.repeat(event, 9)
    assert outcome(history, "I5") is PASS


def test_commit_order_counts_and_not_the_order_of_ids() -> None:
    history = shop()
    history.order(9, 4, "12.34", published=False)
    for name in ("fff", "aaa"):  # the greater id is committed first
        with history.commit():
            about = {"topic": TOPICS["Order"], "channel": "Order", "event": "OrderCreated", "aggregate_id": 9, "order_id": 9}
            history.change("outbox_changes", "insert", schema_name="order_db", message_id=name, **about)
        history.record(name, partition_no=0, **{"key": "9", **about})
    assert kinds(history, "I5") == []


def test_a_copy_that_labkit_planted_elsewhere_is_left_out() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    for partition in range(4):
        topic, _, offset = history.record(history.message_id("OrderCreated", 9), partition_no=partition, event="OrderCreated", order_id=9)
        history.add("planted_records", fault_id=1, topic=topic, partition_no=partition, offset_no=offset)
    assert outcome(history, "I5") is PASS


def test_answers_about_a_customer_who_does_not_exist_need_no_order() -> None:
    history = shop()
    for order in (9, 10):
        history.order(order, 99, f"{order}.00")
    messages = []
    for order in (9, 10):
        with history.commit():
            messages.append(history.publish("CustomerValidationFailed", order_id=order, customer_id=99, relayed=False))
    for message in reversed(messages):
        history.record(
            message,
            topic="io.eventuate.examples.tram.ordersandcustomers.customers.domain.Customer",
            partition_no=1,
            key="99",
            event="CustomerValidationFailed",
            aggregate_id=99,
            customer_id=99,
        )
    assert kinds(history, "I5") == []


def test_an_order_of_unknown_outcome_keeps_its_order_too() -> None:
    history = shop()
    history.request("create_order", "unknown", customer_id=4, total="2.00")
    history.order(9, 4, "2.00", asked=False)
    history.reserve(9)
    history.approve(9)
    assert outcome(history, "I5") is PASS
