"""Each lab is proven, and `labkit author test` finds faults in a lab."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from labkit.catalog import proof, trees
from labkit.catalog.labs import Lab, all_labs, find_lab
from labkit.catalog.proof import Files
from labkit.catalog.schema import read
from labkit.cli.line_check import misunderstood
from tests.running import ROOT, Labkit

# Some mutants of each lab: those that once passed, and one for each other check. `make soak` proves all mutants. test_learner shows that
# the starter fails its named checks and that the solution passes all.
PASSED_ONCE = {
    1: (
        *("approved-is-told-twice", "tells-after-the-answer", "counts-the-largest-reservation", "relay-marks-nothing", "lying-health"),
        *("a-cent-too-strict", "ignores-unknown-customers", "view-of-other-totals", "asks-customers-first", "time-only-in-the-answer"),
    ),
    2: (
        *("releases-by-amount", "stale-within-a-batch", "cancels-whatever-the-state", "approves-whatever-the-state"),
        *("marks-before-publishing", "remembers-what-was-taken-back", "passes-no-gate", "wrong-participant", "rejects-silently"),
        *("one-account-reads-both", "forgets-what-is-reserved"),
    ),
    3: (
        *("rejected-has-no-rank", "reads-then-writes", "takes-off-what-was-never-added", "counts-pending-orders", "remembers-in-memory"),
        *("wants-the-customer-first", "asks-the-owners", "an-empty-document", "starts-at-the-end", "forgets-after-a-day"),
    ),
}


# Right variants that were once failed or left unknown; `make soak` proves all of them.
MISJUDGED_ONCE = (
    *("state-then-reason", "keeps-a-heartbeat", "another-column-afterwards", "customer-then-limit"),
    *("time-in-another-zone", "time-in-two-spellings", "row-then-amount", "one-more-event", "takes-its-time"),
    *("one-more-field", "keeps-a-heartbeat-in-redis"),
)


def some_of(lab: Lab) -> list[str]:
    chosen = [mutant for mutant in lab.mutants if mutant.name in PASSED_ONCE.get(lab.number, ())]
    for mutant in lab.mutants:
        if mutant.caught_by not in {other.caught_by for other in chosen}:
            chosen.append(mutant)
    return [mutant.name for mutant in chosen]


LABS = [lab.number for lab in all_labs()]


def proven(labkit_home: Path, labs: Iterable[int], *names: str, **environment: str) -> None:
    chosen = [word for name in names for word in ("--mutant", name)]
    done = Labkit(labkit_home, "unused", environment)("author", "test", *map(str, labs), *chosen, ok=False, timeout=1700)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(900)
def test_variants_pass_and_mutants_are_caught(labkit_home: Path) -> None:
    """Of all labs, on one stack."""
    proven(labkit_home, LABS, *MISJUDGED_ONCE, *(name for lab in all_labs() for name in some_of(lab)))


def test_each_mutant_that_passed_once_is_among_them() -> None:
    for number, names in PASSED_ONCE.items():
        assert set(names) <= set(some_of(find_lab(number)))


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("lab", LABS)
def test_a_lab_is_proven(labkit_home: Path, lab: int) -> None:
    proven(labkit_home, [lab])


@pytest.mark.soak
@pytest.mark.docker
@pytest.mark.timeout(900)
def test_lab_2_is_proven_on_docker(labkit_home: Path) -> None:
    proven(labkit_home, [2], LABKIT_RUNTIME="docker")


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A copy of lab 2 that tests may damage."""
    folder = tmp_path / "02-choreography-saga"
    shutil.copytree(find_lab(2).folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def problems(folder: Path) -> list[str]:
    return list(proof.problems(Lab(folder, read(folder / "lab.yaml")), misunderstood))


def test_nothing_is_wrong_with_the_files_of_the_labs() -> None:
    assert [(lab.number, problem) for lab in all_labs() for problem in proof.problems(lab, misunderstood)] == []


@pytest.mark.parametrize(
    ("file", "good", "bad", "said"),
    [
        ("guide.md", "labkit verify", "labkit verfy", "No such command 'verfy'"),
        ("guide.md", "## 2.6 Twenty", "## Twenty", "no heading names check 2.6"),
        ("guide.md", "https://microservices.io/patterns/data/saga.html", "https://example.com", "does not link Saga"),
        ("guide.md", "`services/orders/handlers.py`", "`services/orders/handler.py`", "there is no services/orders/handler.py"),
        ("lab.yaml", 'anchor: "async def approve("', 'anchor: "async def aprove("', "occurs 0 times"),
        ("lab.yaml", 'anchor: "async def approve("', 'anchor: "def "', "times in services/orders/handlers.py, not once"),
        ("lab.yaml", "inject: leaked", "inject: leak", "inject.py has no leak"),
        ("lab.yaml", "file: mutants/releases-nothing.patch", "file: mutants/gone.patch", "there is no mutants/gone.patch"),
        ("lab.yaml", 'given: ["2.4", "2.5"]', 'given: ["2.4", "2.8"]', "given names 2.8, which no check has"),
        ("lab.yaml", '- id: "2.5"', '- id: "2.9"', "check 2.5 belongs to no step"),
        ("hints.yaml", '"2.5":', '"2.8":', "hints.yaml: there is no step 2.8"),
        ("hints.yaml", "  - Compare when the position", "  # Compare when the position", "step 2.4 has 2 hints; a step needs three"),
    ],
)
def test_a_mistake_is_told(lab: Path, file: str, good: str, bad: str, said: str) -> None:
    text = (lab / file).read_text()
    assert good in text
    (lab / file).write_text(text.replace(good, bad))
    assert any(said in problem for problem in problems(lab)), problems(lab)


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.become(trees.reference())
    handlers = tmp_path / "services/orders/handlers.py"
    assert handlers.read_text() == (ROOT / "services/orders/handlers.py").read_text()
    before = (tmp_path / "services/money.py").stat().st_mtime_ns
    files.become(trees.starting_point(find_lab(2)))
    assert "reject_unknown_customer" not in handlers.read_text()
    assert (tmp_path / "saga.yml").is_file()
    files.become(trees.reference())
    assert handlers.read_text() == (ROOT / "services/orders/handlers.py").read_text()
    assert not (tmp_path / "saga.yml").exists()
    assert (tmp_path / "services/money.py").stat().st_mtime_ns == before


def test_transcripts_keep_words_and_no_number() -> None:
    line = 'Order 17 (12.34) of customer 4 "Ada" spent 15.00: 9.00 for order 1, 2.00 for order 2 and 4 more. See 000002:48211, 1.2 s.'
    assert proof._without_numbers(line) == "Order N (N) of customer N spent N: N for order N …. See N, N s."
