from tests.invariants.history import CUSTOMERS
from tests.invariants.judged import FAIL, PASS, kinds, outcome, result, shop


def test_a_message_that_was_delivered_twice_and_had_its_effect_twice() -> None:
    history = shop()
    history.saga(17, 4, "12.34")
    history.repeat("OrderCreated", 17)
    history.refuse(17, inbox=False)
    found = result(history, "I6")
    assert found.outcome is FAIL
    assert found.first
    assert found.first.sentence == (
        "OrderCreated of order 17 (12.34) came once but had its effect 2 times: CustomerCreditReserved and CustomerCreditReservationFailed."
    )


def test_received_without_an_effect() -> None:
    history = shop()
    history.order(17, 4, "12.34")
    with history.commit():
        history.receive(CUSTOMERS, "OrderCreated", 17)
    assert kinds(history, "I6") == ["no_effect"]


def test_in_kafka_and_never_taken() -> None:
    history = shop()
    history.order(17, 4, "12.34")
    assert kinds(history, "I6") == ["never_taken"]


def test_effect_and_inbox_row_in_two_transactions_is_found_though_all_is_well_at_the_end() -> None:
    history = shop()
    history.order(17, 4, "12.34")
    with history.commit():
        history.receive(CUSTOMERS, "OrderCreated", 17)
    history.reserve(17, inbox=False)
    history.approve(17)
    assert kinds(history, "I6") == ["effect_outside"]


def test_no_inbox_at_all() -> None:
    history = shop()
    history.order(17, 4, "12.34")
    history.reserve(17, inbox=False)
    history.approve(17)
    assert kinds(history, "I6") == ["effect_outside"]


def test_redelivered_and_known() -> None:
    history = shop()
    history.saga(17, 4, "12.34")
    for event in ("OrderCreated", "CustomerCreditReserved"):
        history.repeat(event, 17)
    assert outcome(history, "I6") is PASS


def test_a_message_that_was_parked_has_no_effect_and_is_its_own_failure() -> None:
    history = shop()
    history.order(17, 4, "12.34")
    history.park(CUSTOMERS, "OrderCreated", 17, "ValueError: no")
    assert kinds(history, "I6") == []


def test_one_transaction_may_hold_many_messages_and_their_effects() -> None:
    history = shop()
    for order in (17, 18, 19):
        history.order(order, 5, f"{order}.00")
    with history.commit():
        for order in (17, 18, 19):
            history.reserve_within(order)
    for order in (17, 18, 19):
        history.approve(order)
    assert outcome(history, "I6") is PASS


def test_releasing_what_is_not_reserved_changes_nothing() -> None:
    history = shop()
    history.saga(17, 4, "12.34")
    with history.commit():
        history.let_go(4, 17)
    history.cancel(17)
    history.release(17, held=False)
    assert kinds(history, "I6") == []


def test_cancelled_received_and_not_released() -> None:
    history = shop()
    history.saga(17, 4, "12.34")
    history.cancel(17)
    history.release(17, held=False)
    assert kinds(history, "I6") == ["no_effect"]


def test_an_order_of_unknown_outcome_has_its_effects_once_too() -> None:
    history = shop()
    history.request("create_order", "unknown", customer_id=4, total="2.00")
    history.order(17, 4, "2.00", asked=False)
    history.reserve(17)
    history.approve(17)
    assert outcome(history, "I6") is PASS
