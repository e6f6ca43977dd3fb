"""Orchestrated histories: an orchestrator sends the command ReserveCredit, customers reply, and the saga ends the order."""

import pytest

from labkit.pass_fail_unknown import Verdict
from labkit.verdict.judge import Result, RuleOutcome, judge
from tests.invariants.history import ORCHESTRATION, History
from tests.invariants.judged import FAIL, PASS, outcome, result, shop

JUDGED = ("I2", "I3", "I4", "I6", "I8", "I9", "I10", "I11", "I12")  # apply to every reply


def failed(history: History) -> dict[str, Result]:
    return {found.invariant.id: found for found in judge(history.con).results if found.outcome is RuleOutcome.FAIL}


def sentence(found: Result) -> str:
    assert found.first
    return found.first.sentence


def ordered() -> History:
    """Customers have reserved credit for an order, but the saga has not received the reply."""
    history = shop(ORCHESTRATION)
    history.order(17, 4, "12.34")
    history.reserve(17)
    return history


# correct histories


@pytest.mark.parametrize(
    ("name", "states"), [("approved", ["APPROVED"]), ("refused", ["REJECTED"]), ("unknown customer", ["REJECTED"]), ("all", [])]
)
def test_a_right_history_passes(name: str, states: list[str]) -> None:
    history = shop(ORCHESTRATION)
    if name in ("approved", "all"):
        history.saga(17, 4, "12.34")
    if name in ("refused", "all"):
        history.rejected(18, 4, "15.01")
    if name in ("unknown customer", "all"):
        history.rejected(19, 99, "1.00", "UNKNOWN_CUSTOMER")
    judgement = judge(history.con)
    assert judgement.verdict is Verdict.PASS
    assert judgement.findings == ()
    outcomes = {found.invariant.id: found.outcome for found in judgement.results}
    assert {an_id: outcomes[an_id] for an_id in JUDGED} == dict.fromkeys(JUDGED, PASS)
    if states:
        assert history.con.execute("select state from orders").fetchall() == [(state,) for state in states]


def test_messages_without_an_order_among_them_and_a_view_that_nobody_writes_are_not_judged() -> None:
    history = shop(ORCHESTRATION)
    history.saga(17, 4, "12.34")
    assert {an_id: outcome(history, an_id) for an_id in ("I5", "I7")} == dict.fromkeys(("I5", "I7"), RuleOutcome.NOTHING)


def test_a_command_and_a_reply_that_come_again_and_are_not_taken_again_are_right() -> None:
    history = shop(ORCHESTRATION)
    history.saga(17, 4, "12.34")
    history.repeat("ReserveCredit", 17)
    history.repeat("CustomerCreditReserved", 17)
    assert judge(history.con).verdict is Verdict.PASS


# wrong histories


def test_approved_without_a_reply() -> None:
    history = shop(ORCHESTRATION)
    history.order(17, 4, "12.34")
    history.approve(17, inbox=False)
    history.reserve(17)
    found = failed(history)
    assert set(found) == {"I6", "I11"}
    assert sentence(found["I11"]) == (
        'Order 17 (12.34) of customer 4 "Ada" became APPROVED, but in that transaction the saga of orders received no reply of customers '
        "to the command ReserveCredit."
    )
    assert found["I11"].first
    assert found["I11"].first.so == (
        "the saga of orders decided by itself: an order leaves PENDING only in the transaction that notes the reply as received."
    )
    assert sentence(found["I6"]) == (
        "orders reacted to the reply CustomerCreditReserved of order 17 (12.34) in a transaction "
        "that does not note the message as received."
    )


def test_approved_before_anybody_took_the_command() -> None:
    history = shop(ORCHESTRATION)
    history.order(17, 4, "12.34")
    history.approve(17, inbox=False)
    found = failed(history)
    assert set(found) == {"I2", "I6", "I11"}
    assert (
        sentence(found["I6"]) == "The command ReserveCredit of order 17 (12.34) is in Kafka, but customers neither took it nor parked it."
    )
    assert found["I11"].first
    assert ("customers replied nothing", "customer_db.message") in [(fact.text, fact.source) for fact in found["I11"].first.because]


def test_compensated_though_approved() -> None:
    history = ordered()
    history.approve(17, compensating=True)
    found = failed(history)
    assert set(found) == {"I9"}
    assert sentence(found["I9"]) == "The saga 0000019d47ef7a11-0242ac1200060000 compensated, but order 17 (12.34) is APPROVED."
    assert found["I9"].first
    assert "customers replied CustomerCreditReserved" in [fact.text for fact in found["I9"].first.because]
    assert found["I9"].first.so == (
        "the reply CustomerCreditReserved leaves nothing to compensate: which reply did the saga take for a refusal?"
    )


def test_replied_twice() -> None:
    history = ordered()
    history.approve(17)
    with history.commit():
        history.answer(17, "granted")
    found = failed(history)
    assert set(found) == {"I6", "I11", "I12"}  # 2.66 was available at the second reply
    assert sentence(found["I6"]) == (
        "The command ReserveCredit of order 17 (12.34) came once but had its effect 2 times: the reply CustomerCreditReserved "
        "and the reply CustomerCreditReserved."
    )
    assert sentence(found["I12"]) == (
        "The reply CustomerCreditReserved of order 17 (12.34) was published again, in a transaction without such a change: "
        "credit was reserved for order 17 before."
    )


def test_replied_twice_and_differently() -> None:
    history = ordered()
    history.approve(17)
    history.refuse(17, inbox=False)
    found = failed(history)
    assert set(found) == {"I6"}
    assert sentence(found["I6"]).endswith(
        "had its effect 2 times: the reply CustomerCreditReserved and the reply CustomerCreditLimitExceeded."
    )


def test_a_refusal_that_was_taken_for_a_grant() -> None:
    history = shop(ORCHESTRATION)
    history.order(17, 4, "15.01")
    history.refuse(17)
    with history.commit():
        history.receive(ORCHESTRATION.subscriptions[1].subscriber, "CustomerCreditLimitExceeded", 17)
        history.state(17, "APPROVED")
        history.end_saga(17)
    found = failed(history)
    assert set(found) == {"I2", "I11"}
    assert sentence(found["I11"]) == (
        'Order 17 (15.01) of customer 4 "Ada" became APPROVED, but the reply that the saga of orders received '
        "was CustomerCreditLimitExceeded."
    )
    assert found["I2"].first
    assert found["I2"].first.so == "orders approved the order, though customers never said that credit was reserved."


def test_rejected_and_not_compensated() -> None:
    history = shop(ORCHESTRATION)
    history.order(17, 4, "15.01")
    history.refuse(17)
    history.reject(17, compensating=False)
    assert set(failed(history)) == {"I9"}


def test_the_wrong_reply() -> None:
    history = shop(ORCHESTRATION)
    history.rejected(17, 4, "15.00")
    found = result(history, "I11")
    assert found.outcome is FAIL
    assert found.first
    assert found.first.so == (
        "customers replied CustomerCreditLimitExceeded where CustomerCreditReserved is right: "
        "how does it compare the total with what is free?"
    )


def test_a_command_for_an_order_that_was_rolled_back() -> None:
    history = shop(ORCHESTRATION)
    with history.commit():
        history.publish("ReserveCredit", order_id=17, customer_id=4)
    with history.commit():
        history.publish("CustomerCreditReserved", order_id=17, customer_id=4)
    found = result(history, "I10")
    assert (found.outcome, found.count) == (FAIL, 2)
    assert found.first
    assert found.last
    assert found.first.sentence.startswith("The command ReserveCredit is about order 17 (customerService, partition ")
    assert found.first.sentence.endswith("), but there is no such order.")
    assert found.first.so.startswith("the command was sent before the order was committed")
    assert found.last.sentence.startswith("The reply CustomerCreditReserved is about order 17 (CreateOrderSaga-reply, partition ")
    assert found.last.so.startswith("the command ReserveCredit was sent before the order was committed")


def test_a_command_for_a_customer_who_does_not_exist_is_right() -> None:
    history = shop(ORCHESTRATION)
    history.rejected(17, 99, "1.00", "UNKNOWN_CUSTOMER")
    assert outcome(history, "I10") is PASS


def test_a_command_that_was_written_twice() -> None:
    history = shop(ORCHESTRATION)
    history.order(17, 4, "12.34", published=False)
    with history.commit():
        history.publish("ReserveCredit", order_id=17)
    found = result(history, "I12")
    assert found.outcome is FAIL
    assert sentence(found) == (
        "Order 17 was stored in one transaction, and the command ReserveCredit of order 17 (12.34) was written in another."
    )


def test_a_saga_that_waits_for_ever() -> None:
    history = shop(ORCHESTRATION)
    history.order(17, 4, "12.34")
    history.con.execute("update orders set state = 'REJECTED'")  # leaves only the saga open
    found = result(history, "I3")
    assert found.outcome is FAIL
    assert found.first
    assert found.first.so == "the saga of orders waits for a reply to the command ReserveCredit, and none will come."
