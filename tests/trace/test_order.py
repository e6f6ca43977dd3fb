"""The story of an order at each stage, by events and with an orchestrator: the first missing hop, and its cause."""

from collections.abc import Callable, Iterator

import pytest

from labkit.system.model import Profile
from labkit.trace.model import HopMark, Story
from labkit.trace.order import story_of
from tests.invariants.history import CHOREOGRAPHY, CUSTOMERS, ORCHESTRATION, History

SAGA = "0000019d47ef7a09-0242ac1200060000"  # the saga of order 9
PROFILES = {"choreography": CHOREOGRAPHY, "orchestration": ORCHESTRATION}
BY = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)


def shop(profile: Profile) -> History:
    history = History(profile)
    history.customer(4, "Ada", "15.00")
    return history


def asking(history: History) -> str:
    return next(reaction.message for reaction in history.profile.reactions if reaction.effect == "answer")


def taken(history: History, effect: str, event: str) -> None:
    """A subscriber records the message as received and does nothing."""
    subscriber = next(reaction.subscriber for reaction in history.profile.reactions if reaction.effect == effect)
    with history.commit():
        history.receive(subscriber, event, 9)


def unwritten(history: History) -> None:
    history.order(9, 4, "12.34", published=False)


def unpublished(history: History) -> None:
    history.order(9, 4, "12.34", published=False)
    with history.commit():
        history.publish(asking(history), order_id=9, relayed=False)


def not_taken(history: History) -> None:
    history.order(9, 4, "12.34")


def unanswered(history: History) -> None:
    history.order(9, 4, "12.34")
    taken(history, "answer", asking(history))


def answer_not_taken(history: History) -> None:
    history.order(9, 4, "12.34")
    history.reserve(9)


def still_pending(history: History) -> None:
    answer_not_taken(history)
    taken(history, "decision", history.answering("granted"))


def running_backwards(history: History) -> None:
    history.order(9, 4, "99.00")
    history.refuse(9)
    taken(history, "decision", history.answering("refused"))
    history.con.execute("UPDATE saga_instances SET compensating = true WHERE order_id = 9")


def saga_ended_alone(history: History) -> None:
    still_pending(history)
    history.end_saga(9)


def saga_left_open(history: History) -> None:
    history.saga(9, 4, "12.34")
    history.con.execute("UPDATE saga_instances SET end_state = false WHERE order_id = 9")


def saga_failed(history: History) -> None:
    history.saga(9, 4, "12.34")
    history.end_saga(9, failed=True)


def compensated_though_approved(history: History) -> None:
    history.saga(9, 4, "12.34")
    history.end_saga(9, compensating=True)


def refused_without_compensation(history: History) -> None:
    history.rejected(9, 4, "99.00")
    history.end_saga(9)


def assert_missing(history: History, key: str, cause: str) -> None:
    story = story_of(history.con, 9)
    assert story.first_missing
    assert story.first_missing.key == key
    assert story.diagnosis
    assert story.diagnosis.text == cause


@BY
@pytest.mark.parametrize(
    ("stage", "missing", "cause"),
    [
        (unwritten, "outbox", "orders wrote no {asking}: creating an order and publishing {asking} belong in one transaction."),
        (unpublished, "relay", "The relay has not published {asking}."),
        (not_taken, "consumer", "customers has not taken {asking}."),
        (
            unanswered,
            "effect",
            "customers took {asking} and published no answer, though each order needs one: which handler takes {asking}?",
        ),
        (answer_not_taken, "consumer", "orders has not taken {answer}."),
        (still_pending, "state", "orders took {answer} and did nothing with it: which handler takes {answer}?"),
    ],
)
def test_the_first_missing_hop_and_why(profile: Profile, stage: Callable[[History], None], missing: str, cause: str) -> None:
    history = shop(profile)
    stage(history)
    assert_missing(history, missing, cause.format(asking=asking(history), answer=history.answering("granted")))


def test_positions_of_two_numbers_are_ordered_and_written_as_the_broker_does() -> None:
    history = shop(CHOREOGRAPHY)
    history.order(9, 4, "12.34")
    position = 1_795_792_504_382 << 64  # as the id of a Redis stream's entry
    history.con.execute("UPDATE records SET offset_no = ? WHERE event = 'OrderCreated'", [position])
    ((topic, partition),) = history.con.execute("SELECT topic, partition_no FROM records WHERE event = 'OrderCreated'").fetchall()
    words = "'entry ' || (position // 18446744073709551616)::VARCHAR || '-' || (position % 18446744073709551616)::VARCHAR"
    history.con.execute(f"CREATE OR REPLACE MACRO position_words(position) AS {words}")
    history.add("group_offsets", group_id=CUSTOMERS, topic=topic, partition_no=partition, committed=position, lag=1, members=1)
    waiting = story_of(history.con, 9)
    history.con.execute("UPDATE group_offsets SET committed = committed + 1")
    passed = story_of(history.con, 9)
    assert waiting.first_missing
    assert waiting.first_missing.text == f"{CUSTOMERS} stands at entry 1795792504382-0, 1 behind"
    assert passed.first_missing
    assert passed.first_missing.text == f"{CUSTOMERS} went past it (it stands at entry 1795792504382-1) without noting it as received"
    assert any("entry 1795792504382-0" in hop.text for hop in passed.hops)


@pytest.mark.parametrize(
    ("stage", "missing", "cause"),
    [
        (running_backwards, "state", "The saga is compensating, and its compensation has not rejected the order yet."),
        (saga_ended_alone, "state", "The saga has ended, and its last step did not end the order."),
        (saga_left_open, "saga", "The order is APPROVED, but its saga has not ended: the orchestrator did not finish it."),
        (saga_failed, "saga", "The saga ended in an error: a compensation failed, or a reply arrived that no step expects."),
        (
            compensated_though_approved,
            "saga",
            "The saga compensated, but its compensation did not reject the order: it is APPROVED.",
        ),
        (
            refused_without_compensation,
            "saga",
            "The order is REJECTED, but the saga did not compensate: the orchestrator did not recognise the refusal.",
        ),
    ],
)
def test_a_saga_that_did_not_end_as_its_order_did(stage: Callable[[History], None], missing: str, cause: str) -> None:
    history = shop(ORCHESTRATION)
    stage(history)
    assert_missing(history, missing, cause)


def hops(story: Story, *keys: str) -> Iterator[tuple[str, str]]:
    return ((hop.key, hop.text) for hop in story.hops if not keys or hop.key in keys)


@BY
def test_an_approved_order_misses_nothing(profile: Profile) -> None:
    history = shop(profile)
    history.saga(9, 4, "12.34")
    story = story_of(history.con, 9)
    assert (story.first_missing, story.diagnosis) == (None, None)
    begin = ["request", "row", "outbox", "broker", "consumer", "effect", "outbox", "broker", "consumer", "state"]
    end = ["saga"] if profile is ORCHESTRATION else ["outbox", "broker", "view"]
    assert [hop.key for hop in story.hops] == begin + end
    assert {hop.mark for hop in story.hops} == {HopMark.OK}


@BY
def test_a_refused_order_says_why_and_that_nothing_is_reserved(profile: Profile) -> None:
    history = shop(profile)
    history.rejected(9, 4, "99.00")
    story = story_of(history.con, 9)
    assert story.first_missing is None
    assert list(hops(story, "effect", "state", "saga")) == [
        ("effect", "no credit was reserved"),
        ("state", "order 9 became REJECTED INSUFFICIENT_CREDIT"),
        *([("saga", f"saga {SAGA} compensated and ended")] if profile is ORCHESTRATION else []),
    ]


def test_a_command_and_its_reply_are_on_the_channels_of_the_orchestrator() -> None:
    history = shop(ORCHESTRATION)
    history.saga(9, 4, "12.34")
    story = story_of(history.con, 9)
    command, reply = (hop for hop in story.hops if hop.key == "broker")
    assert (command.event, command.text.partition(",")[0]) == ("ReserveCredit", "customerService")
    assert (reply.event, reply.text.partition(",")[0]) == ("CustomerCreditReserved", "CreateOrderSaga-reply")
    received = [hop.source for hop in story.hops if hop.key == "consumer"]
    assert [source.partition(", binlog")[0] for source in received] == [
        "customer_db.received_messages, customerCommandDispatcher",
        f"order_db.received_messages, {history.profile.subscriptions[1].subscriber}",
    ]


def test_a_saga_under_way_is_only_waited_for() -> None:
    history = shop(ORCHESTRATION)
    history.order(9, 4, "12.34")
    (saga,) = (hop for hop in story_of(history.con, 9).hops if hop.key == "saga")
    assert (saga.mark, saga.text, saga.source) == (HopMark.WAITING, f"saga {SAGA} is in step 1", "order_db.saga_instance")


def test_the_end_of_a_cancelled_order_is_the_release_of_its_credit() -> None:
    history = shop(CHOREOGRAPHY)
    history.saga(9, 4, "12.34")
    history.cancel(9)
    taken(history, "release", "OrderCancelled")
    story = story_of(history.con, 9)
    assert story.first_missing
    assert (story.first_missing.key, story.first_missing.event) == ("effect", "OrderCancelled")
    history.let_go(4, 9)
    story = story_of(history.con, 9)
    assert story.first_missing is None
    assert list(hops(story, "effect"))[-1] == ("effect", "the reservation of order 9 is gone")


def test_where_nobody_releases_credit_a_cancelled_order_ends_with_its_state() -> None:
    history = shop(ORCHESTRATION)
    history.saga(9, 4, "12.34")
    with history.commit():
        history.state(9, "CANCELLED")
    story = story_of(history.con, 9)
    assert story.first_missing is None
    assert list(hops(story))[-1] == ("state", "order 9 became CANCELLED")


def test_a_record_with_another_key_is_wrong_only_where_the_key_is_the_aggregates_id() -> None:
    by_events, orchestrated = shop(CHOREOGRAPHY), shop(ORCHESTRATION)
    for history in (by_events, orchestrated):
        history.saga(9, 4, "12.34")
        history.con.execute("UPDATE records SET key = 'another' WHERE order_id = 9")
    story = story_of(by_events.con, 9)
    assert story.first_missing
    assert story.first_missing.key == "broker"
    assert story.diagnosis
    assert story.diagnosis.text.startswith("The relay published OrderCreated with the key 'another'")
    assert story_of(orchestrated.con, 9).first_missing is None
