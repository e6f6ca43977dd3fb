"""Rules that every invariant follows."""

from functools import cache

import pytest

from labkit.evidence import database
from labkit.invariants import discovery
from labkit.invariants.model import Invariant
from labkit.pass_fail_unknown import Verdict
from labkit.verdict.judge import RuleOutcome, judge
from tests.invariants.history import History
from tests.invariants.judged import NOTHING, PASS, UNKNOWN, busy_shop, outcome, result, shop

_busy = cache(busy_shop)  # for tests that do not change it
_empty = cache(History)
APPLICABLE = [i.id for i in discovery.all_invariants() if i.holds_for("choreography")]


@pytest.mark.parametrize("invariant_id", APPLICABLE)
def test_an_empty_stack_has_nothing_to_judge(invariant_id: str) -> None:
    assert outcome(_empty(), invariant_id) is NOTHING


@pytest.mark.parametrize("invariant_id", APPLICABLE)
def test_nothing_to_judge_is_unknown_for_a_check_that_needs_it(invariant_id: str) -> None:
    judgement = judge(_empty().con, [discovery.find(invariant_id)], must_judge=[invariant_id])
    assert judgement.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("invariant_id", APPLICABLE)
def test_a_clean_history_with_every_outcome_passes(invariant_id: str) -> None:
    found = result(_busy(), invariant_id)
    assert found.outcome is PASS, found.first
    assert found.judged > 0


def test_a_clean_history_passes_as_a_whole() -> None:
    judgement = judge(_busy().con)
    assert judgement.verdict is Verdict.PASS
    assert judgement.findings == ()


def test_an_empty_stack_is_unknown_as_a_whole() -> None:
    assert judge(_empty().con).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("invariant_id", APPLICABLE)
def test_a_source_that_is_not_whole_makes_it_unknown_with_the_reason(invariant_id: str) -> None:
    invariant = discovery.find(invariant_id)
    history = busy_shop()
    source = (*invariant.needs, *invariant.wants)[-1]
    database.set_complete(history.con, source, "the log begins after the mark")
    found = result(history, invariant_id)
    assert (found.outcome, found.reason) == (UNKNOWN, "the log begins after the mark")


@pytest.mark.parametrize("invariant", discovery.all_invariants(), ids=lambda i: i.id)
def test_each_file_opens_with_its_meaning_and_an_anomaly(invariant: Invariant) -> None:
    text = invariant.violations
    assert text.startswith(f"-- {invariant.id} {invariant.name}: ")
    assert "\n-- Anomaly: " in text


@pytest.mark.parametrize("invariant", discovery.all_invariants(), ids=lambda i: i.id)
def test_each_kind_of_violation_that_a_query_names_has_words(invariant: Invariant) -> None:
    import re

    text = invariant.violations
    words = set(re.findall(r"'([a-z_]+)'(?= AS kind|, [a-z]+\.|, NULL|, [a-z]+_id|, id)", text)) | set(
        re.findall(r"(?:THEN|ELSE) '([a-z_]+)'", text)
    )
    assert words - {"nothing", "answer", "release", "decision", "order", "customer"} <= set(invariant.anomalies)


def test_another_checks_leftovers_are_not_judged() -> None:
    history = shop()
    history.saga(9, 4, "12.34")
    history.con.execute("delete from reservations")  # Ada's order lost its credit, and belongs to another check
    history.con.execute("delete from requests")
    history.saga(20, 5, "1.00")
    history.scope(5)
    assert judge(history.con).verdict is Verdict.PASS


def test_a_scope_reaches_whatever_touches_its_orders() -> None:
    history = shop()
    history.order(9, 4, "12.34")
    history.reserve(9, holder=5)
    history.approve(9)
    history.scope(4)
    judgement = judge(history.con)
    assert judgement.verdict is Verdict.FAIL
    assert {r.invariant.id for r in judgement.results if r.outcome is RuleOutcome.FAIL} == {"I2"}


def test_a_checker_that_raises_is_unknown_and_the_others_go_on() -> None:
    history = busy_shop()
    history.con.execute("alter table view_orders drop column total")
    judgement = judge(history.con)
    by_id = {r.invariant.id: r for r in judgement.results}
    assert by_id["I7"].outcome is UNKNOWN
    assert by_id["I7"].reason.startswith("the check itself failed: BinderException")
    assert by_id["I2"].outcome is PASS
