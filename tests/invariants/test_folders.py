"""Invariants are found by their folders, both labkit's own and those of labs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.errors import UserError
from labkit.invariants import discovery
from labkit.verdict.judge import RuleOutcome, judge
from tests.invariants.judged import shop

RULE = """
from labkit.invariants.model import Anomaly, Details, Invariant

RULE = Invariant(
    "Even amounts",
    "Nobody orders for odd cents.",
    needs=("tables",),
    profiles=("choreography",),
    details=lambda tables, row: Details({"cents": row["total"] % 1}, [(f"order {row['order_id']} is there", "orders")]),
    anomalies={"odd": Anomaly("{Order} of {customer} has odd cents: {cents}.", "who lets them through?")},
)
"""
VIOLATIONS = """-- I120 Even amounts: nobody orders for odd cents.
SELECT 'odd' AS kind, id AS order_id, customer_id, total, 0 AS badness FROM orders WHERE total * 100 % 2 = 1 ORDER BY id;
"""
JUDGED = "SELECT count(*) FROM orders;\n"


def bring(labs: Path, name: str, *, lab: str = "07-cents", **files: str) -> Path:
    """A lab's own invariant. A file without text is not created."""
    folder = labs / lab / "invariants" / name
    folder.mkdir(parents=True)
    for file, text in {"rule.py": RULE, "violations.sql": VIOLATIONS, "judged.sql": JUDGED, **files}.items():
        if text:
            (folder / file).write_text(text)
    return folder


def test_they_are_in_the_order_of_their_numbers() -> None:
    assert discovery.ids() == [f"I{number}" for number in range(1, 14)]
    assert [invariant.id for invariant in discovery.all_invariants()] == discovery.ids()


def test_one_is_found_by_its_id() -> None:
    assert discovery.find("i11").name == "Right answer, right cause"
    assert discovery.find("I11") == discovery.I11
    with pytest.raises(UserError, match="There is no invariant 'I99'; there are I1, I2"):
        discovery.find("I99")


def test_a_lab_brings_its_own(tmp_path: Path) -> None:
    bring(tmp_path, "i120_even")
    assert discovery.ids(tmp_path)[-1] == "I120"
    assert [i.id for i in discovery.of_profile("choreography", tmp_path)][-1] == "I120"
    assert "I120" not in [i.id for i in discovery.of_profile("orchestration", tmp_path)]


def test_it_is_judged_and_explained_as_any_other(tmp_path: Path) -> None:
    bring(tmp_path, "i120_even")
    history = shop()
    history.saga(9, 4, "12.34")
    even = judge(history.con, [discovery.find("I120", tmp_path)]).results[0]
    assert (even.outcome, even.judged) == (RuleOutcome.PASS, 1)
    history.saga(10, 5, "7.77")
    odd = judge(history.con, [discovery.find("I120", tmp_path)]).results[0]
    assert odd.outcome is RuleOutcome.FAIL
    assert odd.first
    assert odd.first.sentence == 'Order 10 (7.77) of customer 5 "Bob" has odd cents: 0.77.'
    assert odd.first.so == "who lets them through?"


def test_two_of_one_number_are_refused_with_both_folders(tmp_path: Path) -> None:
    bring(tmp_path, "i4_mine")
    with pytest.raises(UserError, match=r"Two invariants are I4: .*i4_outbox and .*i4_mine"):
        discovery.all_invariants(tmp_path)


def test_a_folder_of_another_name_is_refused(tmp_path: Path) -> None:
    bring(tmp_path, "stock")
    with pytest.raises(UserError, match="stock is not named as an invariant's folder is"):
        discovery.ids(tmp_path)


@pytest.mark.parametrize("file", ["rule.py", "violations.sql", "judged.sql"])
def test_a_folder_without_one_of_its_files_is_refused(tmp_path: Path, file: str) -> None:
    bring(tmp_path, "i120_even", **{file: ""})
    with pytest.raises(UserError, match=f"i120_even has no {file}"):
        discovery.ids(tmp_path)


def test_a_rule_that_is_none_is_refused(tmp_path: Path) -> None:
    bring(tmp_path, "i120_even", **{"rule.py": "RULE = 'even'"})
    with pytest.raises(UserError, match="has no RULE that is an Invariant"):
        discovery.all_invariants(tmp_path)


def test_what_python_left_of_a_folder_that_is_gone_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "07-cents" / "invariants" / "i120_even" / "__pycache__"
    folder.mkdir(parents=True)
    assert "I120" not in discovery.ids(tmp_path)


def test_none_is_loaded_before_it_is_asked_for() -> None:
    code = "import sys, labkit.invariants.discovery as c; c.ids(); print([m for m in sys.modules if m.endswith('.rule') or m == 'duckdb'])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_none_names_a_message_a_topic_a_group_a_schema_or_a_server() -> None:
    """These names come from the profile, through the evidence."""
    from labkit.system import find, messaging

    root = Path(discovery.__file__).parents[1]
    named: set[str] = set(messaging.TABLES[1:])  # `message` is an ordinary word
    for name in find.names():
        profile = find.profile(name)
        assert profile is not None
        named |= {message.name for message in profile.messages} | {channel.name for channel in profile.channels}
        named |= {each.subscriber for each in profile.subscriptions} | set(profile.schemas) | set(profile.workers)
        named |= {server.title for server in profile.servers} | {server.product for server in profile.servers}
        named |= {table.table for table in profile.tables if table.table not in (table.name, table.one)}
    files = [path for folder in ("invariants", "verdict") for path in sorted((root / folder).rglob("*")) if path.suffix in (".py", ".sql")]
    assert {path.parent.name for path in files} > {"invariants", "verdict", "i1_credit_limit"}
    wrong = [
        (path.relative_to(root).as_posix(), name)
        for path in files
        for name in sorted(named)
        if re.search(rf"\b{re.escape(name)}\b", path.read_text())
    ]
    assert wrong == []
