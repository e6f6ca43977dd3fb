"""The stories of a customer and of a message, by events and with an orchestrator."""

import pytest

from labkit.evidence import database
from labkit.system.model import Profile
from labkit.trace.customer import customer_story
from labkit.trace.message import message_story
from labkit.trace.order import story_of
from tests.invariants.history import CHOREOGRAPHY, ORCHESTRATION, VIEW, History
from tests.trace.test_order import BY, shop


def bought(profile: Profile) -> History:
    history = shop(profile)
    history.saga(9, 4, "12.34")
    return history


def test_a_customer_by_events_has_a_message_and_a_view() -> None:
    story = customer_story(bought(CHOREOGRAPHY).con, 4)
    assert [(hop.key, hop.lane) for hop in story.hops] == [
        ("row", "customers"),
        ("outbox", "relay"),
        ("broker", "Kafka"),
        ("view", "order-history"),
        ("order", "orders"),
    ]
    assert story.first_missing is None


def test_a_customer_of_whom_no_message_tells_has_neither() -> None:
    story = customer_story(bought(ORCHESTRATION).con, 4)
    assert [(hop.key, hop.text) for hop in story.hops] == [
        ("row", "may spend 15.00, 12.34 is reserved, 2.66 available"),
        ("order", "order 9  12.34  APPROVED"),
    ]


@pytest.mark.parametrize(
    ("profile", "event", "takers"),
    [
        (CHOREOGRAPHY, "OrderCreated", ["customers", "order-history"]),
        (ORCHESTRATION, "ReserveCredit", ["customers"]),
        (ORCHESTRATION, "CustomerCreditReserved", ["orders"]),
    ],
)
def test_a_message_has_a_hop_for_each_subscriber_of_its_channel(profile: Profile, event: str, takers: list[str]) -> None:
    history = bought(profile)
    topic, partition, offset = history.con.execute(
        "SELECT topic, partition_no, offset_no FROM records WHERE event = ? AND order_id = 9", [event]
    ).fetchall()[0]
    history.add("view_positions", subscriber=VIEW, topic=topic, partition_no=partition, position=offset + 1)
    story = message_story(history.con, history.message_id(event, 9))
    assert [hop.lane for hop in story.hops if hop.key == "consumer"] == takers
    assert story.about == "order 9"
    assert story.first_missing is None


@BY
@pytest.mark.parametrize(("source", "component", "title"), [("tables", "mysql", "MySQL"), ("records", "kafka", "Kafka")])
def test_a_server_that_does_not_answer_is_named(profile: Profile, source: str, component: str, title: str) -> None:
    history = shop(profile)
    history.order(9, 4, "12.34")
    history.con.execute("DELETE FROM records")
    history.con.execute("DELETE FROM completeness WHERE source = ?", [source])
    database.set_complete(history.con, source, "connection refused", component)
    story = story_of(history.con, 9)
    assert story.first_missing
    assert story.first_missing.source == title
    assert story.diagnosis
    assert story.diagnosis.text == f"{title} could not be read: connection refused."
    history.add("environment", component=component, event="pause", happened=history.now(), source="labkit")
    paused = story_of(history.con, 9).diagnosis
    assert paused
    assert paused.text == f"{component} is paused: its process is stopped and does nothing."
