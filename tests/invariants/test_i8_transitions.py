from tests.invariants.judged import FAIL, PASS, kinds, outcome, result, shop


def test_from_cancelled_to_approved_names_the_way() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    history.cancel(9)
    with history.commit():
        history.state(9, "APPROVED")
    found = result(history, "I8")
    assert found.outcome is FAIL
    assert found.first
    assert found.first.sentence == 'Order 9 (12.34) of customer 4 "Ada" went from CANCELLED to APPROVED, which is not a legal transition.'
    assert [fact.text for fact in found.first.because] == [
        "order 9 became PENDING",
        "order 9 became APPROVED",
        "order 9 became CANCELLED",
        "order 9 became APPROVED",
    ]


def test_an_illegal_state_for_one_commit_is_found_though_the_end_is_right() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    for state in ("REJECTED", "APPROVED"):
        with history.commit():
            history.state(9, state)
    assert kinds(history, "I8") == ["illegal", "illegal"]


def test_what_a_transaction_goes_through_inside_does_not_count() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    with history.commit():
        history.state(9, "REJECTED")
        history.state(9, "APPROVED")
    assert outcome(history, "I8") is PASS


def test_pending_to_cancelled_born_approved_and_deleted() -> None:
    history = shop()
    history.order(9, 4, "1.00")
    with history.commit():
        history.state(9, "CANCELLED")
    history.order(10, 4, "2.00", state="APPROVED")
    history.saga(11, 4, "3.00")
    with history.commit():
        history.con.execute("delete from orders where id = 11")
        history.change("order_changes", "delete", before_id=11, before_customer_id=4, before_total=3, before_state="APPROVED")
    assert kinds(history, "I8") == ["illegal", "born", "removed"]


def test_a_change_that_leaves_the_state_is_no_transition() -> None:
    history = shop()
    history.rejected(9, 4, "99.00")
    with history.commit():
        history.state(9, "REJECTED", "INSUFFICIENT_CREDIT")
    assert outcome(history, "I8") is PASS


def test_orders_that_were_there_at_the_start_need_not_be_pending() -> None:
    history = shop()
    history.add("starting_orders", id=3, customer_id=4, total=1, state="REJECTED")
    history.saga(9, 4, "12.34")
    assert outcome(history, "I8") is PASS


def test_an_order_of_unknown_outcome_goes_the_same_way() -> None:
    history = shop()
    history.request("create_order", "unknown", customer_id=4, total="2.00")
    history.order(9, 4, "2.00", asked=False)
    assert outcome(history, "I8") is PASS
