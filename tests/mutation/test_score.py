"""The table of a subject, its score, and the survivors with the reason that somebody found."""

from collections.abc import Sequence
from pathlib import Path

from labkit.mutation import known, score
from labkit.mutation.known import KnownMutant
from labkit.mutation.model import GeneratedMutant
from labkit.mutation.results import CAUGHT, SURVIVED, UNKNOWN, MutantResult
from labkit.mutation.subject import Subject, find

HEAD = ["| file | made | caught | equivalent | survived | not judged |", "|---|---|---|---|---|---|"]


def result(mutant: GeneratedMutant, outcome: str, check: str = "") -> MutantResult:
    return MutantResult(mutant.id, mutant.path, mutant.line, mutant.rule, outcome, 1, check)


def lines(subject: Subject, found: Sequence[MutantResult] = ()) -> list[str]:
    return list(score.table(subject, {one.id: one for one in found}))


def test_without_results_nothing_is_judged(exercise: Subject) -> None:
    count = len(exercise.mutants)
    assert lines(exercise) == [
        *HEAD,
        f"| services/customers/handlers.py | {count} | 0 | 0 | 0 | {count} |",
        f"| **all** | {count} | 0 | 0 | 0 | {count} |",
        "",
        "None is judged yet.",
        "",
    ]


def test_each_file_has_a_row_and_those_that_are_not_judged_do_not_count(content: Path) -> None:
    services = find(None)
    found = [result(mutant, CAUGHT) for mutant in services.mutants if mutant.path.endswith("handlers.py")]
    rest = [mutant for mutant in services.mutants if mutant.path.endswith("store.py")]
    found += [result(rest[0], SURVIVED)]
    caught, others = len(found) - 1, len(rest)
    shown = lines(services, found)
    assert shown[2:5] == [
        f"| services/customers/handlers.py | {caught} | {caught} | 0 | 0 | 0 |",
        f"| services/orders/store.py | {others} | 0 | 0 | 1 | {others - 1} |",
        f"| **all** | {caught + others} | {caught} | 0 | 1 | {others - 1} |",
    ]
    assert shown[6] == f"{caught} of {caught + 1} caught: {caught / (caught + 1):.1%}."


def test_a_survivor_is_shown_with_its_reason_or_without_one(exercise: Subject) -> None:
    one, other, third, *rest = exercise.mutants
    known.write(exercise.folder, {one.id: KnownMutant(one.id, "not caught", one.path, "-", "nobody reads it")})
    found = [result(one, SURVIVED), result(other, SURVIVED), result(third, UNKNOWN, "1.2"), *(result(mutant, CAUGHT) for mutant in rest)]
    assert lines(find(1), found)[6:] == [
        "",
        f"- `{one.id}` {one.path}:{one.line}, {one.rule}: nobody reads it",
        f"- `{other.id}` {other.path}:{other.line}, {other.rule}: nobody has looked at it yet",
        f"- `{third.id}` {third.path}:{third.line}, {third.rule} (unknown by 1.2): nobody has looked at it yet",
    ]


def test_an_equivalent_mutant_counts_neither_as_caught_nor_as_survived(exercise: Subject) -> None:
    one, *rest = exercise.mutants
    known.write(exercise.folder, {one.id: KnownMutant(one.id, "equivalent", one.path, "-", "means the same")})
    shown = lines(find(1), [result(one, SURVIVED), *(result(mutant, CAUGHT) for mutant in rest)])
    assert shown[2] == f"| services/customers/handlers.py | {len(rest) + 1} | {len(rest)} | 1 | 0 | 0 |"
    assert shown[5] == f"{len(rest)} of {len(rest)} caught: 100.0%."
    assert not any(one.id in line for line in shown)


def test_results_of_mutants_that_are_no_longer_made_do_not_count(exercise: Subject) -> None:
    old = MutantResult("000000000000", "services/customers/handlers.py", 1, "text changed", SURVIVED)
    assert lines(exercise, [old]) == lines(exercise)


def test_a_file_without_mutants_has_no_row(content: Path) -> None:
    (content / "services/orders/__init__.py").write_text('"""Orders."""\n')
    services = find(None)
    assert "services/orders/__init__.py" in services.files
    assert not any("__init__" in line for line in lines(services))


def test_more_is_wanted_of_an_exercise_than_of_the_services(content: Path) -> None:
    assert (score.wanted(find(1)), score.wanted(find(None))) == (0.98, 0.92)


# what is wrong with the mutants that are known


def not_caught(mutants: Sequence[GeneratedMutant]) -> dict[str, KnownMutant]:
    return {one.id: KnownMutant(one.id, "not caught", one.path, "-", "nobody reads it") for one in mutants}


def test_nothing_is_wrong_when_nothing_is_known(exercise: Subject) -> None:
    assert list(score.problems(exercise)) == []


def test_more_survivors_than_are_allowed_are_a_problem(exercise: Subject) -> None:
    count = len(exercise.mutants)
    assert 0.02 * count < 1  # so one is too many
    known.write(exercise.folder, not_caught(exercise.mutants[:1]))
    assert list(score.problems(find(1))) == [f"known-mutants.yaml: 1 of {count} mutants are not caught, more than 2%"]


def test_equivalent_mutants_are_no_problem_however_many_there_are(exercise: Subject) -> None:
    entries = [KnownMutant(one.id, "equivalent", one.path, "-", "means the same") for one in exercise.mutants]
    known.write(exercise.folder, {one.id: one for one in entries})
    assert list(score.problems(find(1))) == []


def test_mutants_that_are_no_longer_made_are_a_problem(exercise: Subject) -> None:
    gone = KnownMutant("000000000000", "equivalent", "services/customers/handlers.py", "-", "means the same")
    known.write(exercise.folder, {gone.id: gone})
    assert list(score.problems(find(1))) == ["known-mutants.yaml: the code changed, and 000000000000 is no longer made: look again"]
