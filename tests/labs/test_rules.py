"""The business rules, written independently of the system: what a check expects."""

from decimal import Decimal
from typing import Any

import pytest

from labkit.checking.documents import differences
from labkit.checking.rules import APPROVED, CANCELLED, INSUFFICIENT_CREDIT, UNKNOWN_CUSTOMER, Books
from labkit.checking.shop import Customer, PlacedOrder

ADA = Customer(4, "Ada", Decimal("15.00"))


@pytest.fixture
def books() -> Books:
    opened = Books()
    opened.open(ADA)
    return opened


def order(number: int, total: str, customer: int = ADA.id) -> PlacedOrder:
    return PlacedOrder(number, customer, Decimal(total))


def test_all_that_is_available_may_be_spent_and_not_a_cent_more(books: Books) -> None:
    assert books.decide(order(1, "7.51")) == APPROVED
    assert books.decide(order(2, "7.50")) == INSUFFICIENT_CREDIT
    assert books.decide(order(3, "7.49")) == APPROVED
    assert books.available(ADA) == 0


def test_what_was_cancelled_is_available_again(books: Books) -> None:
    first = order(1, "15.00")
    books.decide(first)
    assert books.cancel(first) == CANCELLED
    assert books.decide(order(2, "15.00")) == APPROVED


def test_somebody_whom_nobody_knows(books: Books) -> None:
    assert books.decide(order(1, "1.00", customer=99)) == UNKNOWN_CUSTOMER
    shown = books.document(99)
    assert (shown["name"], shown["creditLimit"], shown["orderCount"]) == (None, None, 1)


def test_only_what_is_approved_now_is_added_up(books: Books) -> None:
    first, second, third = order(1, "5.00"), order(2, "4.00"), order(3, "10.00")
    for each in (first, second, third):
        books.decide(each)
    books.cancel(second)
    shown = books.document(ADA.id)
    assert shown["totalApproved"] == {"amount": Decimal("5.00")}
    assert shown["orderCount"] == 3


def test_documents_are_compared_field_by_field_and_amounts_as_numbers() -> None:
    wanted = {"a": {"amount": Decimal("15.00")}, "b": {"c": None}, "d": 1}
    assert differences(wanted, {"a": {"amount": Decimal("15.0")}, "b": {"c": None}, "d": 1}) == []
    assert differences(wanted, {"a": {"amount": 14, "currency": "EUR"}, "b": {}, "d": 1, "e": "x"}) == [
        ("a.amount", "15.00", "14"),
        ("b.c", "null", "nothing"),
    ]
    assert differences({"a": {"b": 1}}, {"a": None}) == [("a", "{b: 1}", "null")]


def test_an_order_more_is_a_difference_and_a_field_more_is_none(books: Books) -> None:
    books.decide(order(1, "5.00"))
    shown: dict[str, Any] = {**books.document(ADA.id), "rejectedCount": 0}
    shown["orders"] = {"1": {**shown["orders"]["1"], "note": "quick"}}
    assert differences(books.document(ADA.id), shown) == []
    shown["orders"]["2"] = {"state": "PENDING"}
    assert differences(books.document(ADA.id), shown) == [("orders.2", "nothing", "{state: PENDING}")]
