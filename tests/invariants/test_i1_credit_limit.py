from decimal import Decimal

from labkit.evidence import database
from tests.invariants.judged import FAIL, PASS, kinds, outcome, result, rows, shop


def test_two_orders_that_together_exceed_the_limit() -> None:
    history = shop()
    for order in (17, 18):
        history.order(order, 4, "10.00")
        history.reserve(order)
        history.approve(order)
    (row,) = rows(history, "I1")
    assert (row["kind"], row["customer_id"], row["reserved"], row["credit_limit"], row["until_commit"]) == (
        "over",
        4,
        Decimal("20.00"),
        Decimal("15.00"),
        None,
    )


def test_exactly_the_limit_is_within_it() -> None:
    history = shop()
    history.saga(17, 4, "10.00")
    history.saga(18, 4, "5.00")
    assert outcome(history, "I1") is PASS


def test_over_the_limit_for_one_commit_and_right_at_the_end_is_found() -> None:
    history = shop()
    history.saga(17, 4, "10.00")
    history.order(18, 4, "10.00")
    history.reserve(18)
    exceeding = history.commit_no
    with history.commit() as compensating:
        history.let_go(4, 18)
    (row,) = rows(history, "I1")
    assert (row["commit_no"], row["until_commit"]) == (exceeding, compensating)
    first = result(history, "I1").first
    assert first
    assert first.sentence == (
        'Customer 4 "Ada" may spend 15.00, and 20.00 was reserved at once: '
        "10.00 for order 17 and 10.00 for order 18, until a later commit corrected it."
    )
    sources = [fact.source for fact in first.because]
    assert f"customer_db.customer_credit_reservations, binlog.000002:{1000 + 100 * exceeding}" in sources
    assert f"customer_db.customer_credit_reservations, binlog.000002:{1000 + 100 * compensating}" in sources


def test_what_a_transaction_holds_in_between_was_never_committed() -> None:
    history = shop()
    history.saga(17, 4, "10.00")
    history.order(18, 4, "12.00")
    with history.commit():  # reserved before the other is released, in one transaction
        history.hold(4, 18, Decimal("12.00"))
        history.let_go(4, 17)
    assert outcome(history, "I1") is PASS


def test_two_spells_over_the_limit_are_two_violations_and_the_worst_is_told() -> None:
    history = shop()
    history.saga(17, 4, "10.00")
    for order, total in ((18, "6.00"), (19, "9.00")):
        history.order(order, 4, total)
        history.reserve(order)
        with history.commit():
            history.let_go(4, order)
    found = result(history, "I1")
    assert found.count == 2
    assert found.worst
    assert "19.00 was reserved at once" in found.worst.sentence


def test_a_limit_that_was_lowered_below_what_is_reserved() -> None:
    history = shop()
    history.saga(17, 4, "10.00")
    with history.commit():
        history.con.execute("update customers set credit_limit = 5 where id = 4")
        history.change(
            "customer_changes",
            "update",
            before_id=4,
            before_name="Ada",
            before_credit_limit=15,
            after_id=4,
            after_name="Ada",
            after_credit_limit=5,
        )
    assert kinds(history, "I1") == ["over"]


def test_an_order_of_unknown_outcome_counts_as_what_the_tables_say() -> None:
    history = shop()
    history.request("create_order", "unknown", customer_id=4, total="12.00")
    history.order(17, 4, "12.00", asked=False)
    history.reserve(17)
    assert outcome(history, "I1") is PASS


def test_without_row_changes_the_tables_can_still_convict() -> None:
    history = shop()
    for order in (17, 18):
        history.saga(order, 4, "10.00")
    for table in ("customer_changes", "reservation_changes", "order_changes", "transactions"):
        history.con.execute(f"delete from {table}")
    database.set_complete(history.con, "binlog", "the binlog was purged")
    assert outcome(history, "I1") is FAIL
    assert kinds(history, "I1") == ["over_now"]


def test_what_was_there_at_the_start_counts() -> None:
    history = shop()
    history.add("starting_customers", id=6, name="Cem", credit_limit=Decimal(10))
    history.add("starting_reservations", customer_id=6, order_id=1, amount=Decimal(8))
    history.order(17, 6, "5.00")
    history.reserve(17)
    (row,) = rows(history, "I1")
    assert (row["customer_id"], row["reserved"]) == (6, Decimal(13))
