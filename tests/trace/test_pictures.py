"""An order's story as a diagram and as Mermaid, and the picture of the system: drawn only from the evidence and the profile."""

from labkit.catalog import diagram
from labkit.system.model import Profile
from labkit.trace import render
from labkit.trace.order import story_of
from tests.invariants.history import CHOREOGRAPHY, ORCHESTRATION
from tests.trace.test_order import BY, shop

LANES = {
    "choreography": ["client", "orders", "relay", "Kafka", "customers", "order-history"],
    "orchestration": ["client", "orders", "relay", "Kafka", "customers"],
}


@BY
def test_a_diagram_has_a_lane_for_each_component_on_the_way(profile: Profile) -> None:
    history = shop(profile)
    history.saga(9, 4, "12.34")
    first, *_, last = render.as_diagram(story_of(history.con, 9), 120).split("\n")
    assert first.split() == LANES[profile.name]
    assert last.split() == ["│"] * len(LANES[profile.name])


def test_a_command_that_nobody_takes_ends_in_a_crossed_arrow() -> None:
    history = shop(ORCHESTRATION)
    history.order(9, 4, "12.34")
    story = story_of(history.con, 9)
    assert [step for step in render.steps(story) if step.is_missing] == [
        render.Arrow("Kafka", "customers", "customerCommandDispatcher has not received it", True)
    ]
    assert "✗" in render.as_diagram(story, 100).split("\n")[-2]


def test_mermaid_shows_command_reply_and_saga() -> None:
    history = shop(ORCHESTRATION)
    history.saga(9, 4, "12.34")
    lines = [line.strip() for line in render.as_mermaid(story_of(history.con, 9)).split("\n")]
    assert lines[2:7] == [f"participant {lane} as {lane}" for lane in LANES["orchestration"]]
    assert "Kafka->>customers: ReserveCredit" in lines
    assert "Kafka->>orders: CustomerCreditReserved" in lines
    assert lines[-1] == "Note over orders: saga 0000019d47ef7a09-0242ac1200060000 ended"


def test_the_systems_picture_says_who_takes_what() -> None:
    assert diagram.stack(ORCHESTRATION).splitlines()[2:] == [
        "customers     ─▶ MySQL customer_db with outbox",
        "                 ─▶ relay ─▶ Kafka CreateOrderSaga-reply ─▶ orders",
        "orders        ─▶ MySQL order_db with outbox",
        "                 ─▶ relay ─▶ Kafka customerService ─▶ customers",
    ]
    assert diagram.stack(CHOREOGRAPHY).splitlines()[-1] == "order-history ─▶ Redis"
