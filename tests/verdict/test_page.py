"""The page with the timeline, on hand-written evidence."""

from labkit.verdict.judge import judge
from labkit.verdict.page import page
from tests.invariants.history import NOON
from tests.invariants.judged import shop


def test_whoever_the_profile_does_not_know_has_a_lane_under_its_own_name() -> None:
    history = shop()
    history.order(9, 4, "12.34")
    history.add("outbox", id="0-1", schema_name="stranger_db", event="Strange", created=NOON, order_id=9)
    history.add("inbox", schema_name="order_db", subscriber="strangers", message_id="0-1", received=NOON)
    shown = page(history.con, judge(history.con))
    assert ">stranger_db</text>" in shown
    assert "Strange written" in shown
    assert ">strangers</text>" in shown
    assert "received Strange" in shown
