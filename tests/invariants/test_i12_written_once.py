from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.invariants.history import CUSTOMERS, ORDERS, History
from tests.invariants.judged import FAIL, PASS, kinds, outcome, result, shop


def approved_by_two_messages(history: History) -> None:
    history.order(17, 4, "12.34")
    history.reserve(17)
    with history.commit():
        history.receive(ORDERS, "CustomerCreditReserved", 17)
        history.state(17, "APPROVED")
        history.publish("OrderApproved", order_id=17)
        history.publish("OrderApproved", order_id=17)


def created_after_the_order(history: History) -> None:
    history.order(17, 4, "12.34", published=False)
    with history.commit():
        history.publish("OrderCreated", order_id=17)


def created_before_the_order(history: History) -> None:
    with history.commit():
        history.publish("OrderCreated", order_id=17, customer_id=4)
    history.order(17, 4, "12.34", published=False)


def rejected_and_announced_later(history: History) -> None:
    history.order(17, 4, "99.00")
    history.refuse(17)
    history.reject(17, published=False)
    with history.commit():
        history.publish("OrderRejected", order_id=17)


def reserved_and_announced_later(history: History) -> None:
    history.order(17, 4, "12.34")
    history.reserve(17, answer=False)
    with history.commit():
        history.publish("CustomerCreditReserved", order_id=17, customer_id=4)


def customer_announced_later(history: History) -> None:
    with history.commit():
        history.change("customer_changes", "insert", after_id=6, after_name="Cyd", after_credit_limit=Decimal("1.00"))
    with history.commit():
        history.publish("CustomerCreated", customer_id=6)


def approved_and_announced_again(history: History) -> None:
    history.saga(17, 4, "12.34")
    with history.commit():
        history.receive(ORDERS, "CustomerCreditReserved", 17)
        history.state(17, "APPROVED")
        history.publish("OrderApproved", order_id=17)


def rejected_and_announced_as_approved(history: History) -> None:
    history.rejected(17, 4, "99.00")
    with history.commit():
        history.publish("OrderApproved", order_id=17)


WRONG: dict[str, tuple[Callable[[History], None], str]] = {
    "twice": (
        approved_by_two_messages,
        "OrderApproved of order 17 (12.34) was published 2 times, as 2 messages, and order 17 became APPROVED once.",
    ),
    "apart": (
        created_after_the_order,
        "Order 17 was stored in one transaction, and OrderCreated of order 17 (12.34) was written in another.",
    ),
    "apart, the event first": (
        created_before_the_order,
        "Order 17 was stored in one transaction, and OrderCreated of order 17 (12.34) was written in another.",
    ),
    "apart, of a rejection": (
        rejected_and_announced_later,
        "Order 17 became REJECTED in one transaction, and OrderRejected of order 17 (99.00) was written in another.",
    ),
    "apart, of a reservation": (
        reserved_and_announced_later,
        "Credit was reserved for order 17 in one transaction, and CustomerCreditReserved of order 17 (12.34) was written in another.",
    ),
    "apart, of a customer": (
        customer_announced_later,
        'Customer 6 was stored in one transaction, and CustomerCreated of customer 6 "Cyd" was written in another.',
    ),
    "again": (
        approved_and_announced_again,
        "OrderApproved of order 17 (12.34) was published again, in a transaction without such a change: order 17 became APPROVED before.",
    ),
    "untrue": (
        rejected_and_announced_as_approved,
        "OrderApproved of order 17 (99.00) was published, but the change that it announces was never made: order 17 never became APPROVED.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_written_once_with_its_change_is_found(name: str) -> None:
    tell, sentence = WRONG[name]
    history = shop()
    tell(history)
    found = result(history, "I12")
    assert found.first, found
    assert (found.outcome, found.first.kind, found.first.sentence) == (FAIL, name.partition(",")[0], sentence)


def test_a_change_by_several_statements_is_announced_once() -> None:
    history = shop()
    history.order(17, 4, "99.00")
    history.refuse(17)
    with history.commit():
        history.receive(ORDERS, "CustomerCreditReservationFailed", 17)
        history.state(17, "REJECTED")
        history.state(17, "REJECTED", "INSUFFICIENT_CREDIT")
        history.publish("OrderRejected", order_id=17)
    assert outcome(history, "I12") is PASS


def test_an_event_that_nobody_asked_for_is_no_matter_of_it() -> None:
    history = shop()
    history.saga(17, 4, "12.34")
    history.cancel(17)
    with history.commit():
        history.receive(CUSTOMERS, "OrderCancelled", 17)
        history.let_go(4, 17)
        history.publish("CustomerCreditReleased", like="CustomerCreditReserved", order_id=17, customer_id=4)
    assert outcome(history, "I12") is PASS


def test_a_copy_of_a_message_is_no_second_message() -> None:
    history = shop()
    history.saga(17, 4, "12.34")
    history.repeat("OrderApproved", 17)
    assert kinds(history, "I12") == []
