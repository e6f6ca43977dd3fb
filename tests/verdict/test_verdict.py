"""Three verdicts: what convicts the code, what excuses it, and what is unknown, on hand-written evidence."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from labkit.evidence import database
from labkit.pass_fail_unknown import Verdict
from labkit.verdict.judge import Judgement, RuleOutcome, judge
from tests.invariants.history import CUSTOMERS, NOON, TOPICS, VIEW, History
from tests.invariants.judged import shop


def happened(history: History, component: str, event: str, **details: Any) -> None:
    at: datetime = details.pop("at", history.now())
    history.add("environment", component=component, event=event, happened=at, source="supervisor", **details)


def verdict_of(history: History) -> tuple[Verdict, list[str]]:
    judgement = judge(history.con)
    return judgement.verdict, [finding.kind for finding in judgement.findings]


def outcome(history: History, name: str, **facts: str) -> None:
    database.set_fact(history.con, "stillness", name)
    for fact, value in facts.items():
        database.set_fact(history.con, fact, value)


def open_now(history: History, condition: str, subject: str, detail: str) -> None:
    history.add("samples", sample=1)
    history.add("outstanding", sample=1, condition=condition, subject=subject, detail=detail)


def failed(judgement: Judgement) -> set[str]:
    return {r.invariant.id for r in judgement.results if r.outcome is RuleOutcome.FAIL}


# what the code did by itself


def test_a_service_that_ended_by_itself_fails_with_its_traceback_and_the_message_in_hand() -> None:
    history = shop()
    happened(history, "customers", "end", exit_code=1)
    history.add(
        "last_words", component="customers", said=NOON, message_id="0-1", text="Traceback (most recent call last):\n  …\nKeyError: 'total'"
    )
    judgement = judge(history.con)
    (finding,) = judgement.findings
    assert judgement.verdict is Verdict.FAIL
    assert finding.sentence == "customers ended by itself with exit code 1: KeyError: 'total'."
    assert finding.traceback[-1] == "KeyError: 'total'"
    assert finding.next_step == "labkit trace message 0-1"


def test_a_service_beyond_its_own_memory_fails_and_one_killed_for_the_machines_memory_does_not() -> None:
    own, host = shop(), shop()
    happened(own, "orders", "oom", detail="its limit of 200 MB")
    happened(host, "orders", "oom", detail="the host had none left")
    assert verdict_of(own) == (Verdict.FAIL, ["ended"])
    assert verdict_of(host) == (Verdict.PASS, [])


def test_a_crash_that_labkit_armed_is_no_failure() -> None:
    history = shop()
    happened(history, "orders", "end", exit_code=137, by_labkit=True)
    assert verdict_of(history) == (Verdict.PASS, [])


def test_a_segmentation_fault_is_its_own_and_a_kill_is_not() -> None:
    own, foreign = shop(), shop()
    happened(own, "orders", "end", signal=11)
    happened(foreign, "orders", "end", signal=9)
    assert verdict_of(own) == (Verdict.FAIL, ["ended"])
    assert verdict_of(foreign) == (Verdict.PASS, [])


def test_a_service_that_does_not_go_on_is_stuck_and_named_with_its_last_exception() -> None:
    history = shop()
    history.order(9, 4, "12.34")
    outcome(history, "stuck")
    open_now(history, "lag", CUSTOMERS, "OrderEventConsumer stands at offset 0 of Order, partition 1, 1 behind")
    history.add("last_words", component="customers", said=NOON, text="TimeoutError: no lock")
    judgement = judge(history.con)
    (finding,) = judgement.findings
    assert judgement.verdict is Verdict.FAIL
    assert finding.title == "customers is stuck"
    assert finding.because[-1].text == "its last exception: TimeoutError: no lock"


def test_a_loop_is_named() -> None:
    history = shop()
    history.order(9, 4, "12.34")
    with history.commit():
        for _ in range(25):
            history.publish("OrderApproved", order_id=9)
    outcome(history, "moving", stillness_rate="40")
    judgement = judge(history.con)
    assert judgement.verdict is Verdict.FAIL
    assert judgement.findings[0].sentence.startswith("Order 9 is in a loop: 26 messages were written about it")


def published_again_and_again() -> History:
    history = shop()
    history.order(9, 4, "12.34")
    for _ in range(20):
        history.repeat("OrderCreated", 9)
    history.con.execute("update outbox set published = false where event = 'OrderCreated'")
    outcome(history, "repeating")
    open_now(history, "outbox", "order_db", "1 message waits in the outbox of order_db to be published by the relay")
    return history


def test_a_relay_that_never_marks_is_named() -> None:
    judgement = judge(published_again_and_again().con)
    assert judgement.verdict is Verdict.FAIL
    (finding,) = judgement.findings
    assert finding.sentence == "The relay published OrderCreated of order 9 (12.34) 21 times, and its row is still not marked as published."


def test_it_is_also_named_when_the_orders_of_others_are_published_again() -> None:
    history = published_again_and_again()
    history.add("scope", customer_id=5)
    assert verdict_of(history) == (Verdict.FAIL, ["repeating"])


def test_a_relay_that_never_marks_keeps_the_machine_busy_and_that_excuses_nothing() -> None:
    history = published_again_and_again()
    happened(history, "labkit", "stall", detail="30 s")
    assert verdict_of(history) == (Verdict.FAIL, ["repeating"])


def test_what_a_broker_that_was_killed_did_not_acknowledge_is_rightly_published_again() -> None:
    history = published_again_and_again()
    happened(history, "kafka", "end", signal=9)
    assert verdict_of(history) == (Verdict.UNKNOWN, ["disturbed"])


# external causes


def test_somebody_else_who_writes_all_the_time_is_unknown_and_named() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    outcome(history, "moving", stillness_rate="12", stillness_writer="the account admin")
    judgement = judge(history.con)
    assert (judgement.verdict, [f.kind for f in judgement.findings]) == (Verdict.UNKNOWN, ["moving"])
    assert "the account admin writes" in judgement.findings[0].sentence


def test_a_violation_over_time_is_a_fail_even_while_something_moves() -> None:
    history = shop()
    for order in (17, 18):
        history.saga(order, 4, "10.00")
    outcome(history, "moving")
    judgement = judge(history.con)
    assert judgement.verdict is Verdict.FAIL
    assert failed(judgement) == {"I1", "I11"}


def test_something_missing_after_a_server_was_killed_is_unknown() -> None:
    history = shop()
    history.order(9, 4, "12.34")
    happened(history, "kafka", "end", signal=9)
    judgement = judge(history.con)
    assert judgement.verdict is Verdict.UNKNOWN
    reasons = [r.reason for r in judgement.results if r.invariant.id == "I3"]
    assert "Kafka ended by SIGKILL at 12:00:00, and no fault of labkit did that" in reasons[0]


def test_what_was_done_before_the_order_was_placed_excuses_nothing() -> None:
    history = shop()
    happened(history, "relay", "end", signal=9, at=NOON - timedelta(hours=1))
    happened(history, "relay", "start", at=NOON - timedelta(hours=1))
    history.order(9, 4, "12.34")
    assert verdict_of(history)[0] is Verdict.FAIL


def test_a_wrong_amount_is_a_fail_whatever_the_machine_did() -> None:
    history = shop()
    happened(history, "mysql", "end", signal=9)
    history.order(9, 4, "12.34")
    history.reserve(9, amount="1.00")
    history.approve(9)
    assert failed(judge(history.con)) == {"I2"}


def test_stuck_because_a_service_was_killed_or_suspended_is_unknown() -> None:
    killed, suspended = shop(), shop()
    for history in (killed, suspended):
        history.order(9, 4, "12.34")
        outcome(history, "stuck")
        open_now(history, "lag", CUSTOMERS, "OrderEventConsumer stands at offset 0 of Order, partition 1, 1 behind")
    happened(killed, "customers", "end", signal=9)
    suspended.add("outstanding", sample=1, condition="paused", subject="customers", detail="customers is paused")
    assert verdict_of(killed) == (Verdict.UNKNOWN, ["disturbed"])
    assert verdict_of(suspended) == (Verdict.UNKNOWN, ["disturbed"])


def test_stuck_because_a_service_did_not_even_run_when_it_began_is_unknown() -> None:
    history = shop()
    history.order(9, 4, "12.34")
    outcome(history, "stuck", down="customers relay")
    open_now(history, "lag", CUSTOMERS, "OrderEventConsumer stands at offset 0 of Order, partition 1, 1 behind")
    assert verdict_of(history) == (Verdict.UNKNOWN, ["disturbed"])
    assert judge(history.con).findings[0].next_step == "labkit up"
    happened(history, "customers", "start")
    assert verdict_of(history) == (Verdict.FAIL, ["stuck"])


def test_a_service_that_was_killed_and_started_again_must_go_on() -> None:
    history = shop()
    happened(history, "customers", "end", signal=9)
    happened(history, "customers", "start")
    history.order(9, 4, "12.34")
    outcome(history, "stuck")
    open_now(history, "lag", CUSTOMERS, "OrderEventConsumer stands at offset 0 of Order, partition 1, 1 behind")
    assert verdict_of(history) == (Verdict.FAIL, ["stuck"])


def test_a_fault_by_hand_that_is_still_there_is_named_with_its_heal() -> None:
    history = shop()
    history.order(9, 4, "12.34")
    outcome(history, "stuck")
    open_now(history, "paused", "customers", "customers is paused")
    history.add("faults", id=3, primitive="pause", target="customers", owner="hand", armed=NOON)
    judgement = judge(history.con)
    assert judgement.verdict is Verdict.UNKNOWN
    assert judgement.findings[0].next_step == "labkit heal 3"


def test_labkit_that_stood_still_excuses_what_is_missing() -> None:
    history = shop()
    history.order(9, 4, "12.34")
    happened(history, "labkit", "stall", detail="30 s")
    assert verdict_of(history)[0] is Verdict.UNKNOWN


def test_a_store_that_is_down_is_unknown_and_the_rest_is_judged() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    outcome(history, "unread", stillness_detail="redis does not answer: connection refused")
    history.con.execute("delete from completeness where source in ('view', 'moment')")
    database.set_complete(history.con, "view", "redis does not answer", "redis")
    database.set_complete(history.con, "moment", "redis does not answer", "redis")
    judgement = judge(history.con)
    assert judgement.verdict is Verdict.UNKNOWN
    assert {r.invariant.id for r in judgement.results if r.outcome is RuleOutcome.PASS} == {"I1", "I5", "I8", "I11", "I12", "I13"}


# messages that were given up


def test_a_parked_message_is_shown_first_and_what_follows_is_its_consequence() -> None:
    history = shop()
    history.order(9, 4, "12.34")
    history.park(CUSTOMERS, "OrderCreated", 9, "Traceback (most recent call last):\n  File …\nValueError: 12.34 is no good number")
    judgement = judge(history.con)
    (finding,) = judgement.findings
    assert judgement.verdict is Verdict.FAIL
    assert finding.sentence == "customers gave up OrderCreated of order 9 and parked it: ValueError: 12.34 is no good number"
    progress = next(r for r in judgement.results if r.invariant.id == "I3")
    assert (progress.count, progress.consequences) == (1, 1)


def test_poison_that_labkit_planted_is_no_failure() -> None:
    history = shop()
    topic, partition, offset = history.record(None)
    history.add("planted_records", fault_id=1, topic=topic, partition_no=partition, offset_no=offset)
    history.add(
        "dead_letters", store="mysql", subscriber=CUSTOMERS, topic=topic, partition_no=partition, offset_no=offset, cause="not a message"
    )
    assert verdict_of(history) == (Verdict.PASS, [])


def test_a_record_of_nobody_that_the_view_gave_up() -> None:
    history = shop()
    history.add(
        "dead_letters",
        store="redis",
        subscriber=VIEW,
        topic=TOPICS["Order"],
        partition_no=2,
        offset_no=7,
        message_index=0,
        cause="bad bytes",
    )
    judgement = judge(history.con)
    assert judgement.findings[0].sentence == "order-history gave up a record that it could not read and parked it: bad bytes"


def give_up(history: History, cause: str, offset: int) -> None:
    place = {"topic": TOPICS["Order"], "partition_no": 2, "offset_no": offset, "message_index": 0}
    history.add("dead_letters", store="mysql", subscriber=CUSTOMERS, cause=cause, parked=history.now(), **place)


def test_causes_that_differ_in_a_place_only_are_told_once_with_the_first_and_the_last() -> None:
    history = shop()
    for n in range(0, 300, 2):
        give_up(history, f"the event X{n % 50} is wrong", n)
        give_up(history, f"the record is not a message: JSON is malformed: invalid character (byte {n})", n + 1)
    give_up(history, "KeyError: 'a'", 300)
    wrong, malformed, other = judge(history.con).findings
    assert (malformed.count, wrong.count, other.count) == (150, 150, 1)
    assert [fact.source for fact in malformed.because if "the last of these 150" in fact.text] == ["Order, partition 2, offset 299"]


def test_kinds_beyond_the_most_frequent_are_told_together() -> None:
    history = shop()
    for n in range(40):
        give_up(history, "the record is " + "odd " * n, n)
    findings = judge(history.con).findings
    assert len(findings) == 4
    assert "36 more for other causes" in findings[-1].sentence


@pytest.mark.parametrize("published", [True, False])
def test_an_event_that_lacks_a_field_is_laid_to_who_published_it(published: bool) -> None:
    history = shop()
    history.order(9, 4, "12.34")
    history.park(CUSTOMERS, "OrderCreated", 9, "the event OrderCreated lacks the field orderDetails.customerId")
    if not published:
        history.con.execute("delete from outbox where event = 'OrderCreated' and order_id = 9")
    (finding, *_) = judge(history.con).findings
    assert finding.so.startswith("orders published it like that" if published else "it is in no outbox, so no service published it")


def test_the_same_exception_many_times_is_told_once() -> None:
    history = shop()
    for order in range(9, 14):
        history.order(order, 5, f"{order}.00")
        history.park(CUSTOMERS, "OrderCreated", order, "ValueError: no")
    (finding,) = judge(history.con).findings
    assert finding.count == 5
    assert "and 4 more for the same reason" in finding.sentence
