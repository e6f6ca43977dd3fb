from decimal import Decimal

from tests.invariants.history import ORDERS
from tests.invariants.judged import FAIL, PASS, kinds, outcome, result, rows, shop


def test_refused_though_the_credit_is_there() -> None:
    history = shop()
    history.rejected(17, 4, "12.34")
    found = result(history, "I11")
    assert found.outcome is FAIL
    assert found.first
    assert found.first.sentence == (
        'Order 17 (12.34) of customer 4 "Ada" was refused for lack of credit, but there was enough: 15.00 of 15.00 was free.'
    )


def test_granted_though_it_is_short_is_found_though_it_was_released_later() -> None:
    history = shop()
    history.saga(17, 4, "10.00")
    history.saga(18, 4, "10.00")
    history.cancel(18)
    history.release(18)
    (row,) = rows(history, "I11")
    assert (row["kind"], row["order_id"], row["free"]) == ("granted_though_short", 18, Decimal("5.00"))


def test_right_at_its_moment_though_not_at_the_end() -> None:
    history = shop()
    history.saga(17, 4, "10.00")
    history.rejected(18, 4, "10.00")
    history.cancel(17)
    history.release(17)
    history.saga(19, 4, "15.00")
    assert outcome(history, "I11") is PASS


def test_an_answer_about_a_customer_who_is_there_and_one_who_is_not() -> None:
    history = shop()
    history.rejected(17, 4, "1.00", "UNKNOWN_CUSTOMER")
    history.rejected(18, 99, "1.00")
    history.saga(19, 98, "1.00")
    assert kinds(history, "I11") == ["unknown_though_there", "refused_for_nobody", "granted_to_nobody"]


def test_a_customer_who_came_after_the_answer_was_rightly_unknown() -> None:
    history = shop()
    history.rejected(17, 6, "1.00", "UNKNOWN_CUSTOMER")
    history.customer(6, "Cem", "10.00")
    assert outcome(history, "I11") is PASS


def test_what_was_true_when_the_order_was_made_may_have_been_read_before_it_changed() -> None:
    history = shop()
    history.saga(17, 4, "10.00")
    history.order(18, 4, "10.00")
    history.cancel(17)
    history.release(17)
    with history.commit():
        history.refuse_within(18)
    history.reject(18)
    history.order(19, 6, "1.00")
    history.customer(6, "Cem", "10.00")
    with history.commit():
        history.refuse_within(19, "CustomerValidationFailed")
    history.reject(19, "UNKNOWN_CUSTOMER")
    assert outcome(history, "I11") is PASS


def test_released_before_the_order_was_made() -> None:
    history = shop()
    history.saga(17, 4, "10.00")
    history.cancel(17)
    history.release(17)
    history.rejected(18, 4, "10.00")
    assert kinds(history, "I11") == ["refused_though_free"]


def test_approved_without_an_answer() -> None:
    history = shop()
    history.order(17, 4, "12.34")
    history.approve(17, inbox=False)
    found = result(history, "I11")
    assert [found.outcome, found.first.kind if found.first else None] == [FAIL, "no_cause"]


def test_an_answer_that_was_turned_round() -> None:
    history = shop()
    history.order(17, 4, "12.34")
    history.reserve(17)
    with history.commit():
        history.receive(ORDERS, "CustomerCreditReserved", 17)
        history.state(17, "REJECTED", "INSUFFICIENT_CREDIT")
        history.publish("OrderRejected", order_id=17)
    history.rejected(18, 4, "99.00")
    history.con.execute(
        "update order_changes set after_rejection_reason = 'UNKNOWN_CUSTOMER' where after_id = 18 and after_state = 'REJECTED'"
    )
    assert kinds(history, "I11") == ["wrong_cause", "wrong_cause"]


def decided_together(*orders: tuple[int, str, bool]) -> list[str]:
    """Orders of Ada, decided in one transaction."""
    history = shop()
    for order, total, _ in orders:
        history.order(order, 4, total)
    with history.commit():
        for order, _, granted in orders:
            (history.reserve_within if granted else history.refuse_within)(order)
    for order, _, granted in orders:
        (history.approve if granted else history.reject)(order)
    return kinds(history, "I11")


def test_one_transaction_for_several_orders_is_right_when_some_sequence_explains_it() -> None:
    assert decided_together((17, "10.00", True), (18, "6.00", False), (19, "5.00", True)) == []
    assert decided_together((17, "10.00", False), (18, "6.00", True)) == []  # 6.00 comes first, then 10.00 does not fit
    assert decided_together((17, "10.00", True), (18, "4.00", False)) == ["refused_though_free"]
    assert decided_together((17, "10.00", True), (18, "6.00", True)) == ["granted_though_short", "granted_though_short"]


def test_credit_that_was_freed_in_the_same_transaction_may_have_come_before_or_after() -> None:
    for granted in (True, False):
        history = shop()
        history.saga(17, 4, "10.00")
        history.cancel(17)
        history.order(18, 4, "12.00")
        with history.commit():
            history.receive("OrderEventConsumer", "OrderCancelled", 17)
            history.let_go(4, 17)
            (history.reserve_within if granted else history.refuse_within)(18)
        (history.approve if granted else history.reject)(18)
        assert kinds(history, "I11") == []


def test_an_order_of_unknown_outcome_takes_credit_when_it_is_there() -> None:
    history = shop()
    history.request("create_order", "unknown", customer_id=4, total="10.00")
    history.order(17, 4, "10.00", asked=False)
    history.reserve(17)
    history.approve(17)
    history.rejected(18, 4, "10.00")
    assert outcome(history, "I11") is PASS
