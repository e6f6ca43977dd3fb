"""Only the result of a commit counts, not the statements within it, and not columns that no rule uses."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from labkit.invariants import discovery
from labkit.verdict.judge import RuleOutcome, judge
from tests.invariants.history import CUSTOMERS, ORDERS, History
from tests.invariants.judged import kinds, outcome, shop

RULES = [i for i in discovery.all_invariants() if not i.profiles]


def failures(history: History) -> dict[str, str]:
    judgement = judge(history.con, RULES)
    return {r.invariant.id: r.first.sentence for r in judgement.results if r.outcome is RuleOutcome.FAIL and r.first}


def reservation(history: History, op: str, before: str | None, after: str | None, *, order: int = 9, customer: int = 4) -> None:
    where: dict[str, object] = {}
    for side, amount in (("before", before), ("after", after)):
        if amount is not None:
            where |= {f"{side}_customer_id": customer, f"{side}_order_id": order, f"{side}_amount": Decimal(amount)}
    history.change("reservation_changes", op, **where)


def hold(history: History, amount: str, *, order: int = 9, customer: int = 4) -> None:
    history.add("reservations", customer_id=customer, order_id=order, amount=Decimal(amount))


def state_then_reason(history: History) -> None:
    history.order(9, 4, "99.00")
    history.refuse(9)
    with history.commit():
        history.receive(ORDERS, "CustomerCreditReservationFailed", 9)
        history.state(9, "REJECTED")
        history.state(9, "REJECTED", "INSUFFICIENT_CREDIT")
        history.publish("OrderRejected", order_id=9)
    history.see_order(9, "REJECTED")


def reason_then_state(history: History) -> None:
    history.order(9, 99, "1.00")
    history.refuse(9, "CustomerValidationFailed")
    with history.commit():
        history.receive(ORDERS, "CustomerValidationFailed", 9)
        history.state(9, "PENDING", "UNKNOWN_CUSTOMER")
        history.state(9, "REJECTED", "UNKNOWN_CUSTOMER")
        history.publish("OrderRejected", order_id=9)
    history.see_order(9, "REJECTED")


def amount_after_the_row(history: History) -> None:
    history.order(9, 4, "12.34")
    with history.commit():
        history.receive(CUSTOMERS, "OrderCreated", 9)
        reservation(history, "insert", None, "0.00")
        reservation(history, "update", "0.00", "12.34")
        hold(history, "12.34")
        history.publish("CustomerCreditReserved", order_id=9, customer_id=4)
    history.approve(9)


def too_much_and_back_within_the_commit(history: History) -> None:
    history.order(9, 4, "12.34")
    with history.commit():
        history.receive(CUSTOMERS, "OrderCreated", 9)
        reservation(history, "insert", None, "99.00")
        reservation(history, "delete", "99.00", None)
        reservation(history, "insert", None, "12.34")
        hold(history, "12.34")
        history.publish("CustomerCreditReserved", order_id=9, customer_id=4)
    history.approve(9)


def all_rows_deleted_and_written_anew(history: History) -> None:
    """The way an object-relational mapper writes a collection."""
    history.saga(9, 4, "5.00")
    history.order(10, 4, "6.00")
    with history.commit():
        history.receive(CUSTOMERS, "OrderCreated", 10)
        reservation(history, "delete", "5.00", None)
        reservation(history, "insert", None, "5.00")
        reservation(history, "insert", None, "6.00", order=10)
        hold(history, "6.00", order=10)
        history.publish("CustomerCreditReserved", order_id=10, customer_id=4)
    history.approve(10)


def released_by_setting_it_to_nothing(history: History) -> None:
    history.saga(9, 4, "12.34")
    history.cancel(9)
    with history.commit():
        history.receive(CUSTOMERS, "OrderCancelled", 9)
        reservation(history, "update", "12.34", "0.00")
        history.con.execute("update reservations set amount = 0 where order_id = 9")
    history.saga(10, 4, "15.00")


def customer_without_a_limit_first(history: History) -> None:
    with history.commit():
        history.add("customers", id=6, name="Cleo", credit_limit=Decimal("10.00"), version=0)
        history.change("customer_changes", "insert", after_id=6, after_name="Cleo")
        history.change(
            "customer_changes",
            "update",
            before_id=6,
            before_name="Cleo",
            after_id=6,
            after_name="Cleo",
            after_credit_limit=Decimal("10.00"),
        )
        history.publish("CustomerCreated", customer_id=6)
    history.see_customer(6, "Cleo", "10.00")
    history.saga(9, 6, "10.00")


def own_column_of_orders_by_another_statement(history: History) -> None:
    history.order(9, 4, "12.34")
    history.reserve(9)
    with history.commit():
        history.receive(ORDERS, "CustomerCreditReserved", 9)
        history.state(9, "APPROVED")
        history.state(9, "APPROVED")  # a column that no rule uses
        history.publish("OrderApproved", order_id=9)
    with history.commit():
        history.state(9, "APPROVED")
    history.see_order(9, "APPROVED")


@pytest.mark.parametrize(
    "way",
    [
        state_then_reason,
        reason_then_state,
        amount_after_the_row,
        too_much_and_back_within_the_commit,
        all_rows_deleted_and_written_anew,
        released_by_setting_it_to_nothing,
        customer_without_a_limit_first,
        own_column_of_orders_by_another_statement,
    ],
    ids=lambda way: way.__name__,
)
def test_a_right_end_of_a_commit_is_right_whatever_way_led_there(way: Callable[[History], None]) -> None:
    history = shop()
    way(history)
    assert failures(history) == {}


def test_a_reason_that_comes_in_a_later_commit_is_too_late() -> None:
    history = shop()
    history.order(9, 4, "99.00")
    history.refuse(9)
    history.decide(9, "REJECTED", None, "CustomerCreditReservationFailed", "OrderRejected")
    with history.commit():
        history.state(9, "REJECTED", "INSUFFICIENT_CREDIT")
    assert kinds(history, "I11") == ["wrong_cause"]


def test_too_much_at_a_commit_is_too_much_though_the_next_takes_it_back() -> None:
    history = shop()
    history.order(9, 4, "12.34")
    with history.commit():
        reservation(history, "insert", None, "12.34")
        reservation(history, "update", "12.34", "99.00")
    with history.commit():
        reservation(history, "update", "99.00", "12.34")
    hold(history, "12.34")
    assert kinds(history, "I1") == ["over"]


def test_two_rows_for_one_order_add_up_where_the_table_has_lost_its_key() -> None:
    history = shop()
    history.order(9, 4, "9.00")
    with history.commit():
        history.hold(4, 9, Decimal("9.00"))
        history.hold(4, 9, Decimal("9.00"))
    assert kinds(history, "I1") == ["over"]


def test_an_inbox_row_that_is_gone_at_the_commit_was_not_noted() -> None:
    history = shop()
    history.order(9, 4, "12.34")
    with history.commit():
        history.reserve_within(9)
        message = history.message_id("OrderCreated", 9)
        history.change("inbox_changes", "delete", schema_name="customer_db", subscriber=CUSTOMERS, message_id=message)
    history.approve(9)
    assert kinds(history, "I6") == ["effect_outside"]
    assert outcome(history, "I1") is RuleOutcome.PASS
