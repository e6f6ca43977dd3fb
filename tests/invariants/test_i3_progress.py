from labkit.trace.order import story_of
from tests.invariants.judged import FAIL, PASS, kinds, outcome, result, shop


def test_an_order_that_stays_pending_and_the_step_that_is_missing() -> None:
    history = shop()
    history.order(9, 4, "12.34", published=False)
    found = result(history, "I3")
    assert found.outcome is FAIL
    assert found.first
    assert found.first.sentence == 'Order 9 (12.34) of customer 4 "Ada" is still PENDING, and no message is left that could move it.'
    assert found.first.so.startswith("orders wrote no OrderCreated")


def test_each_further_hop_that_is_missing_has_its_own_words() -> None:
    history = shop()
    history.order(9, 4, "1.00")
    history.order(10, 4, "2.00")
    with history.commit():
        history.receive("OrderEventConsumer", "OrderCreated", 10)
    history.order(11, 4, "3.00")
    history.reserve(11)
    history.order(12, 4, "4.00")
    history.reserve(12)
    with history.commit():
        history.receive("customerServiceEvents", "CustomerCreditReserved", 12)
    told = [story_of(history.con, order).diagnosis for order in (9, 10, 11, 12)]
    assert [d.text.partition(":")[0] for d in told if d] == [
        "customers has not taken OrderCreated.",
        "customers took OrderCreated and published no answer, though each order needs one",
        "orders has not taken CustomerCreditReserved.",
        "orders took CustomerCreditReserved and did nothing with it",
    ]


def test_pending_in_the_middle_and_approved_at_the_end() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    assert outcome(history, "I3") is PASS


def test_an_order_that_the_lab_holds_pending_is_expected() -> None:
    history = shop()
    history.order(9, 4, "12.34")
    history.add("expected_pending", order_id=9)
    assert outcome(history, "I3") is PASS


def test_an_accepted_order_that_is_gone_and_one_that_was_changed() -> None:
    history = shop()
    history.request("create_order", "ok", customer_id=4, order_id=9, total="12.34")
    history.saga(10, 4, "1.00")
    history.con.execute("update orders set total = 100 where id = 10")
    assert kinds(history, "I3") == ["lost", "altered"]


def test_unknown_outcome_accepts_either_and_never_more_than_one() -> None:
    history = shop()
    history.request("create_order", "unknown", customer_id=4, total="1.00")  # it never took effect
    history.request("create_order", "unknown", customer_id=4, total="2.00")
    for order, total in ((9, "2.00"), (10, "3.00")):
        history.order(order, 4, total, asked=order == 10)
        history.reserve(order)
        history.approve(order)
    assert outcome(history, "I3") is PASS
    history.order(11, 4, "2.00", asked=False)
    history.reserve(11)
    history.approve(11)
    assert kinds(history, "I3") == ["twice"]


def test_a_refused_order_that_is_there() -> None:
    history = shop()
    history.request("create_order", "refused", customer_id=4, total="2.00")
    history.order(9, 4, "2.00", asked=False)
    history.reserve(9)
    history.approve(9)
    assert kinds(history, "I3") == ["refused_but_there"]


def test_cancelling_that_was_accepted_and_did_not_happen_and_the_reverse() -> None:
    history = shop()
    history.saga(9, 4, "2.00")
    history.request("cancel_order", "ok", order_id=9)
    history.saga(10, 4, "3.00")
    history.cancel(10, asked=False)
    history.saga(11, 4, "4.00")
    history.request("cancel_order", "unknown", order_id=11)  # both outcomes are valid
    assert kinds(history, "I3") == ["not_cancelled", "cancelled_unasked"]
