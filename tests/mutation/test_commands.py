"""`labkit author known` and `labkit author table`, without a stack. They run in this process, which reads a small system."""

from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.cli import run
from labkit.mutation import known, results
from labkit.mutation.model import GeneratedMutant
from labkit.mutation.results import CAUGHT, SURVIVED, MutantResult
from labkit.mutation.subject import Subject, find

Ran = Callable[..., tuple[int, str]]


@pytest.fixture
def labkit(content: Path, capsys: pytest.CaptureFixture[str]) -> Ran:
    """Runs labkit, and returns its exit code and what it printed."""

    def ran(*arguments: str) -> tuple[int, str]:
        code = run(list(arguments))
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    return ran


def test_known_writes_down_why_a_mutant_is_equivalent(labkit: Ran, exercise: Subject, first: GeneratedMutant) -> None:
    code, said = labkit("author", "known", "limits are never equal", first.id, "--lab", "1")
    assert (code, said) == (0, f"{first.id}: equivalent, limits are never equal\n")
    (written,) = known.read(exercise.folder).values()
    assert (written.id, written.verdict, written.file, written.why) == (first.id, "equivalent", first.path, "limits are never equal")
    assert written.change.splitlines()[0] == "-    return total <= limit"
    assert find(1).equivalent == {first.id}


def test_known_writes_down_the_same_reason_for_several(labkit: Ran, exercise: Subject) -> None:
    one, other = (mutant.id for mutant in exercise.mutants[:2])
    code, said = labkit("author", "known", "limits are never equal", one, other, "--lab", "1")
    assert (code, said) == (0, f"{one}, {other}: equivalent, limits are never equal\n")
    assert {an_id: entry.why for an_id, entry in known.read(exercise.folder).items()} == dict.fromkeys(
        (one, other), "limits are never equal"
    )


def test_known_replaces_what_was_known_of_it(labkit: Ran, exercise: Subject, first: GeneratedMutant) -> None:
    labkit("author", "known", "limits are never equal", first.id, "--lab", "1")
    code, said = labkit("author", "known", "nobody orders so much", first.id, "--lab", "1", "--not-caught")
    assert (code, said) == (0, f"{first.id}: not caught, nobody orders so much\n")
    assert [(one.verdict, one.why) for one in known.read(exercise.folder).values()] == [("not caught", "nobody orders so much")]


def test_known_drops_entries_of_mutants_that_are_no_longer_made(
    labkit: Ran, content: Path, exercise: Subject, first: GeneratedMutant
) -> None:
    labkit("author", "known", "limits are never equal", first.id, "--lab", "1")
    (content / first.path).write_text("def fits(total, limit):\n    return not total > limit\n")
    now = find(1).mutants[0]
    code, said = labkit("author", "known", "means the same", now.id, "--lab", "1")
    assert code == 0
    assert "of mutants that are no longer made were dropped" in said
    assert list(known.read(exercise.folder)) == [now.id]


def test_known_of_the_services_is_written_beside_the_labs(labkit: Ran, content: Path) -> None:
    mutant = find(None).mutants[0]
    assert labkit("author", "known", "means the same", mutant.id)[0] == 0
    assert list(known.read(content / "labs")) == [mutant.id]
    assert known.read(content / "labs" / "01-exact-fits") == {}


def test_known_refuses_a_mutant_that_there_is_not(labkit: Ran, exercise: Subject) -> None:
    code, said = labkit("author", "known", "means the same", "000000000000", "--lab", "1")
    assert code == 254
    assert "There is no mutant 000000000000 of Lab 1 · Exact fits." in said
    assert not (exercise.folder / known.FILE).exists()


def test_known_refuses_a_mutant_of_another_lab(labkit: Ran, content: Path) -> None:
    others = [mutant for mutant in find(None).mutants if mutant.path not in find(1).files]
    assert labkit("author", "known", "means the same", others[0].id, "--lab", "1")[0] == 254


def test_table_writes_a_page_with_each_lab_and_the_services(labkit: Ran, exercise: Subject, tmp_path: Path) -> None:
    caught, survivor = exercise.mutants[:2]
    folder, page = tmp_path / "results", tmp_path / "docs" / "mutation.md"
    for mutant, outcome in ((caught, CAUGHT), (survivor, SURVIVED)):
        result = MutantResult(mutant.id, mutant.path, mutant.line, mutant.rule, outcome, 1)
        results.append(results.path_of("lab-1", folder), [result])
    code, said = labkit("author", "table", str(page), "--results", str(folder))
    assert (code, said) == (0, f"{page} is written.\n")
    text = page.read_text()
    lab, services = text.index("## Lab 1 · Exact fits\n"), text.index("## The services\n")
    count = len(exercise.mutants)
    assert text.startswith("# Mutation scores\n")
    assert f"| services/customers/handlers.py | {count} | 1 | 0 | 1 | {count - 2} |" in text[lab:services]
    assert "1 of 2 caught: 50.0%." in text[lab:services]
    assert f"- `{survivor.id}` services/customers/handlers.py:" in text[lab:services]
    assert "At least 98% must be caught by the lab's own check." in text[lab:services]
    assert "| services/orders/store.py |" in text[services:]
    assert "None is judged yet." in text[services:]


def test_mutate_refuses_a_lab_and_a_mutant_that_there_is_not(labkit: Ran) -> None:
    assert labkit("author", "mutate", "99")[0] == 254
    code, said = labkit("author", "mutate", "1", "--mutant", "000000000000")
    assert code == 254
    assert "There is no mutant 000000000000 of Lab 1 · Exact fits." in said


def test_mutate_judges_nothing_when_all_were_caught_earlier(labkit: Ran, exercise: Subject, tmp_path: Path) -> None:
    file = results.path_of("lab-1", tmp_path)
    results.append(file, [MutantResult(mutant.id, mutant.path, mutant.line, mutant.rule, CAUGHT, 1) for mutant in exercise.mutants])
    count = len(exercise.mutants)
    code, said = labkit("author", "mutate", "1", "--results", str(tmp_path))
    assert code == 0
    assert f"0 of them equivalent, {count} to judge, {count} of these were caught earlier." in said
    assert f"\n{count} of {count} caught in " in said
