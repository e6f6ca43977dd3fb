from tests.invariants.judged import FAIL, PASS, kinds, outcome, result, shop


def test_a_state_that_went_backwards_names_both() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    history.see_order(9, "PENDING")
    found = result(history, "I7")
    assert found.outcome is FAIL
    assert found.first
    assert found.first.sentence == 'The order history of customer 4 "Ada" shows order 9 (12.34) as PENDING; it is APPROVED.'


def test_each_field_is_compared() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    history.saga(10, 5, "1.00")
    history.con.execute("update view_customers set name = 'Adam', credit_limit = 1, credit_limit_text = '1' where id = 4")
    history.con.execute("update view_customers set listed = false where id = 5")
    history.con.execute("update view_orders set total = 12.43, total_text = '12.43' where order_id = 9")
    history.con.execute("delete from view_orders where order_id = 10")
    assert kinds(history, "I7") == ["limit", "name", "total", "not_listed", "no_order"]


def test_a_customer_who_is_missing_and_one_who_is_too_many() -> None:
    history = shop()
    history.con.execute("delete from view_customers where id = 4")
    history.see_customer(7, "Eve", "1.00")
    assert kinds(history, "I7") == ["no_view", "extra_view"]


def test_no_key_has_a_time_to_live() -> None:
    history = shop()
    history.con.execute("insert into view_expiry values (4, 'customerview:4', 86400), (null, 'customerviews', 0.4)")
    found = result(history, "I7")
    assert found.first
    assert found.first.sentence == "Redis will remove the key customerview:4 in 86400 s."
    assert kinds(history, "I7") == ["expires", "expires"]


def test_an_order_in_the_view_of_somebody_else() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    history.con.execute("update view_orders set customer_id = 5")
    assert kinds(history, "I7") == ["no_order", "extra_order"]


def test_an_order_of_nobody_makes_a_view_without_a_name() -> None:
    history = shop()
    history.rejected(9, 99, "1.00", "UNKNOWN_CUSTOMER")
    assert outcome(history, "I7") is PASS


def test_behind_in_the_middle_and_right_at_the_end() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    history.see_order(9, "PENDING")
    history.see_order(9, "APPROVED")
    assert outcome(history, "I7") is PASS


def test_amounts_are_compared_as_numbers() -> None:
    history = shop()
    history.con.execute("update view_customers set credit_limit_text = '15' where id = 4")
    assert outcome(history, "I7") is PASS


def test_an_order_of_unknown_outcome_is_shown_when_it_is_there() -> None:
    history = shop()
    history.request("create_order", "unknown", customer_id=4, total="2.00")
    history.order(9, 4, "2.00", asked=False)
    assert outcome(history, "I7") is PASS
    history.con.execute("delete from view_orders")
    assert kinds(history, "I7") == ["no_order"]
