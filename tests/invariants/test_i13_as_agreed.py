from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.invariants.history import History
from tests.invariants.judged import FAIL, NOTHING, PASS, outcome, result, shop


def refused_for_another_customer(history: History) -> None:
    history.order(17, 4, "99.00")
    with history.commit():
        history.publish("CustomerCreditReservationFailed", order_id=17, customer_id=5)


def approved_with_half_of_the_total(history: History) -> None:
    history.saga(17, 4, "12.34")
    history.con.execute("update outbox set total = ? where event = 'OrderApproved'", [Decimal("6.17")])


def created_under_the_customers_key(history: History) -> None:
    history.saga(17, 4, "12.34")
    history.con.execute("update outbox set key = '4' where event = 'OrderCreated'")


def created_without_a_key(history: History) -> None:
    history.saga(17, 4, "12.34")
    history.con.execute("update outbox set key = null where event = 'OrderCreated'")


def approved_on_the_channel_of_customers(history: History) -> None:
    history.saga(17, 4, "12.34")
    history.con.execute("update outbox set channel = 'Customer' where event = 'OrderApproved'")


def approved_on_a_channel_that_nobody_knows(history: History) -> None:
    history.saga(17, 4, "12.34")
    history.con.execute("update outbox set channel = null, topic = 'Orders' where event = 'OrderApproved'")


WRONG: dict[str, tuple[Callable[[History], None], str]] = {
    "customer": (
        refused_for_another_customer,
        "CustomerCreditReservationFailed of order 17 names customer 5, but the order is of customer 4.",
    ),
    "total": (
        approved_with_half_of_the_total,
        "OrderApproved of order 17 names a total of 6.17, but the total of the order is 12.34.",
    ),
    "key": (
        created_under_the_customers_key,
        "OrderCreated of order 17 (12.34) has the key 4; it should be 17.",
    ),
    "key, none": (
        created_without_a_key,
        "OrderCreated of order 17 (12.34) has no key; it should be 17.",
    ),
    "channel": (
        approved_on_the_channel_of_customers,
        "OrderApproved of order 17 (12.34) is on Customer; it belongs on Order.",
    ),
    "channel, of no service": (
        approved_on_a_channel_that_nobody_knows,
        "OrderApproved of order 17 (12.34) is on Orders; it belongs on Order.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_as_agreed_is_found(name: str) -> None:
    tell, sentence = WRONG[name]
    history = shop()
    tell(history)
    found = result(history, "I13")
    assert found.first, found
    assert (found.outcome, found.first.kind, found.first.sentence) == (FAIL, name.partition(",")[0], sentence)


def test_a_message_that_names_its_order_as_it_is_passes() -> None:
    history = shop()
    history.saga(17, 4, "12.34")
    history.con.execute("update outbox set total = 12.34 where order_id = 17")
    assert outcome(history, "I13") is PASS


def test_the_total_counts_that_the_order_was_placed_with() -> None:
    """Who changes it afterwards makes other messages wrong, and not those that were right when they were written."""
    history = shop()
    history.order(17, 4, "12.34")
    history.con.execute("update outbox set total = 12.34 where event = 'OrderCreated'")
    with history.commit():
        history.change(
            "order_changes",
            "update",
            before_id=17,
            before_customer_id=4,
            before_total=Decimal("12.34"),
            before_state="PENDING",
            after_id=17,
            after_customer_id=4,
            after_total=Decimal("1.00"),
            after_state="PENDING",
        )
    assert outcome(history, "I13") is PASS


def test_messages_about_orders_that_do_not_exist_are_no_matter_of_it() -> None:
    """I10 judges them."""
    history = shop()
    with history.commit():
        history.publish("OrderApproved", order_id=17, customer_id=4)
    assert outcome(history, "I13") is PASS


def test_types_that_are_not_agreed_are_not_judged() -> None:
    history = History()
    with history.commit():
        history.publish("CustomerCreditReleased", like="CustomerCreditReserved", order_id=17, customer_id=4)
    assert outcome(history, "I13") is NOTHING
