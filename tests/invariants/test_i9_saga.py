from labkit.invariants import discovery
from labkit.pass_fail_unknown import Verdict
from labkit.verdict.judge import RuleOutcome, judge
from tests.invariants.history import ORCHESTRATION, History
from tests.invariants.judged import FAIL, NOTHING, PASS, kinds, outcome, result, shop


def test_it_is_not_applicable_where_nobody_orchestrates() -> None:
    found = result(shop(), "I9")
    assert found.outcome is RuleOutcome.NOT_APPLICABLE
    assert found.reason == "only for the profile orchestration"


def test_a_check_that_needs_it_there_is_unknown() -> None:
    judgement = judge(shop().con, [discovery.find("I9")], must_judge=["I9"])
    assert judgement.verdict is Verdict.UNKNOWN


def test_without_a_saga_there_is_nothing_to_judge() -> None:
    assert outcome(History(ORCHESTRATION), "I9") is NOTHING


def test_sagas_that_agree() -> None:
    history = shop(ORCHESTRATION)
    history.saga(9, 4, "12.34")
    history.rejected(10, 4, "99.00")
    assert outcome(history, "I9") is PASS


def test_each_way_to_disagree() -> None:
    history = shop(ORCHESTRATION)
    for order in (9, 10):
        history.saga(order, 5, f"{order}.00")
    history.rejected(11, 4, "99.00")
    history.order(12, 4, "1.00")
    history.saga(13, 5, "13.00")
    history.end_saga(9, compensating=True)
    history.end_saga(10, failed=True)
    history.end_saga(11)
    history.end_saga(12)
    history.con.execute("delete from orders where id = 13")
    assert kinds(history, "I9") == ["compensated_but_approved", "failed", "rejected_uncompensated", "ended_too_early", "no_order"]
    assert result(history, "I9").outcome is FAIL


def test_a_saga_that_is_open_is_a_matter_of_progress() -> None:
    history = shop(ORCHESTRATION)
    history.saga(9, 4, "12.34")
    history.con.execute("update saga_instances set end_state = false")
    assert outcome(history, "I9") is PASS
    assert kinds(history, "I3") == ["saga_open"]
