from tests.invariants.judged import FAIL, PASS, kinds, outcome, result, shop


def test_approved_without_a_reservation() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    with history.commit():
        history.let_go(4, 9)
    assert kinds(history, "I2") == ["not_held"]


def test_rejected_and_still_reserved() -> None:
    history = shop()
    history.order(9, 4, "12.34")
    history.reserve(9)
    history.refuse(9)
    history.reject(9)
    found = result(history, "I2")
    assert found.outcome is FAIL
    assert found.first
    assert found.first.sentence == (
        'Customer 4 "Ada" may spend 15.00. Order 9 (12.34) is REJECTED, but 12.34 is still reserved for it: '
        "2.66 is available, 15.00 should be."
    )


def test_cancelled_and_still_reserved_names_the_step() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    history.cancel(9)
    history.release(9, held=False)
    found = result(history, "I2")
    assert found.first
    assert [fact.text for fact in found.first.because] == [
        "order 9 became CANCELLED",
        "OrderCancelled was published",
        "customers received it",
        "no reservation of order 9 was removed",
    ]
    assert found.first.so == "customers got the event and did nothing with it: which handler takes OrderCancelled?"


def test_reserved_of_the_wrong_customer_of_two_and_of_another_amount() -> None:
    history = shop()
    history.order(9, 4, "1.00")
    history.reserve(9, holder=5)
    history.approve(9)
    history.saga(10, 4, "2.00")
    with history.commit():
        history.reserve_within(10, holder=5, inbox=False, answer=False)
    history.order(11, 4, "3.00")
    history.reserve(11, amount="0.30")
    history.approve(11)
    assert kinds(history, "I2") == ["wrong_customer", "twice", "wrong_amount"]


def test_reserved_for_an_order_that_does_not_exist() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    history.con.execute("delete from orders where id = 9")
    assert kinds(history, "I2") == ["no_order"]


def test_a_disagreement_in_the_middle_is_none_at_the_end() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    history.cancel(9)
    history.release(9)
    assert outcome(history, "I2") is PASS


def test_a_pending_order_may_hold_credit_or_not() -> None:
    history = shop()
    history.order(9, 4, "1.00")
    history.order(10, 4, "1.00")
    history.reserve(10)
    assert kinds(history, "I2") == []


def test_an_order_of_unknown_outcome_is_judged_as_it_stands() -> None:
    history = shop()
    history.request("create_order", "unknown", customer_id=4, total="12.34")
    history.order(9, 4, "12.34", asked=False)
    history.reserve(9)
    history.approve(9)
    assert outcome(history, "I2") is PASS
