"""The findings of an invariant for a hand-written history."""

from typing import Any

from labkit.invariants import discovery
from labkit.invariants.scope import narrowed
from labkit.system.model import Profile
from labkit.verdict.judge import Result, RuleOutcome, judge
from tests.invariants.history import CHOREOGRAPHY, History

NOTHING, PASS, FAIL, UNKNOWN = RuleOutcome.NOTHING, RuleOutcome.PASS, RuleOutcome.FAIL, RuleOutcome.UNKNOWN


def result(history: History, invariant_id: str) -> Result:
    return judge(history.con, [discovery.find(invariant_id)]).results[0]


def outcome(history: History, invariant_id: str) -> RuleOutcome:
    return result(history, invariant_id).outcome


def rows(history: History, invariant_id: str) -> list[dict[str, Any]]:
    with narrowed(history.con):
        found = history.con.execute(discovery.find(invariant_id).violations)
        names = [column[0] for column in found.description or []]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def kinds(history: History, invariant_id: str) -> list[str]:
    return [row["kind"] for row in rows(history, invariant_id)]


def shop(profile: Profile = CHOREOGRAPHY) -> History:
    """Ada may spend 15.00, Bob 100.00."""
    history = History(profile)
    history.customer(4, "Ada", "15.00")
    history.customer(5, "Bob", "100.00")
    return history


def busy_shop() -> History:
    """Every correct case: approved, rejected, unknown customer, cancelled, published twice by the relay, and of unknown outcome."""
    history = shop()
    history.saga(9, 4, "12.34")
    history.rejected(10, 4, "12.35")
    history.rejected(11, 99, "1.00", "UNKNOWN_CUSTOMER")
    history.saga(12, 5, "40.00")
    history.cancel(12)
    history.release(12)
    history.saga(13, 5, "99.00")
    history.repeat("OrderCreated", 13)
    history.repeat("OrderApproved", 13)
    history.request("create_order", "unknown", customer_id=5, total="0.50")
    history.request("create_order", "unknown", customer_id=5, total="0.60")
    history.order(14, 5, "0.60", asked=False)
    history.reserve(14)
    history.approve(14)
    history.request("create_order", "refused", customer_id=5, total="-1.00")
    return history
