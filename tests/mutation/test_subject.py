"""What is mutated, and which of the mutants are chosen."""

from pathlib import Path

import pytest

from labkit.catalog.labs import all_labs, find_lab
from labkit.errors import ExitCode, UserError
from labkit.mutation import known
from labkit.mutation.known import KnownMutant
from labkit.mutation.model import GeneratedMutant
from labkit.mutation.subject import WHOLE, Subject, find, of_lab, of_services

HANDLERS = "services/customers/handlers.py"


def entry(mutant: GeneratedMutant, verdict: str) -> KnownMutant:
    return KnownMutant(mutant.id, "equivalent" if verdict == "equivalent" else "not caught", mutant.path, "-", "looked at")


def test_an_exercise_is_what_its_starter_lacks(exercise: Subject) -> None:
    assert exercise.files == [HANDLERS]
    assert {mutant.path for mutant in exercise.mutants} == {HANDLERS}
    assert exercise.labs == {HANDLERS: (1,)}
    assert "total < limit" in {mutant.content.splitlines()[1].strip().removeprefix("return ") for mutant in exercise.mutants}


def test_the_services_are_all_of_them_and_the_exam_judges_too(content: Path) -> None:
    services = find(None)
    assert services.files == [HANDLERS, "services/orders/store.py"]
    assert services.exam
    assert not find(1).exam
    assert services.folder == content / "labs"


def test_the_sample_is_the_same_for_the_same_seed(exercise: Subject) -> None:
    count = len(exercise.mutants) - 1
    samples = {seed: [mutant.id for mutant in exercise.sample(count, seed)] for seed in range(10)}
    again = {seed: [mutant.id for mutant in find(1).sample(count, seed)] for seed in range(10)}
    assert samples == again
    assert len({tuple(ids) for ids in samples.values()}) > 1


def test_a_sample_is_in_the_order_of_the_files(exercise: Subject) -> None:
    everything = [mutant.id for mutant in exercise.mutants]
    drawn = [mutant.id for mutant in exercise.sample(2, 1)]
    assert drawn == sorted(drawn, key=everything.index)
    assert len(drawn) == 2


@pytest.mark.parametrize("count", [None, 1000])
def test_without_a_number_or_with_a_large_one_all_are_chosen(exercise: Subject, count: int | None) -> None:
    assert exercise.sample(count, 1) == exercise.mutants


def test_equivalent_mutants_are_left_out_and_those_that_no_check_catches_are_not(exercise: Subject) -> None:
    equivalent, not_caught, *_ = exercise.mutants
    known.write(exercise.folder, {one.id: entry(one, verdict) for one, verdict in ((equivalent, "equivalent"), (not_caught, "not caught"))})
    again = find(1)
    assert again.equivalent == {equivalent.id}
    for chosen in (again.sample(None, 1), again.sample(len(again.mutants) - 1, 1)):
        assert equivalent not in chosen
        assert not_caught in chosen


def test_a_reason_ends_when_the_code_changes(exercise: Subject, content: Path) -> None:
    first = exercise.mutants[0]
    known.write(exercise.folder, {first.id: entry(first, "equivalent")})
    (content / HANDLERS).write_text("def fits(total, limit):\n    return total <= limit + 0\n")
    again = find(1)
    assert first.id not in {mutant.id for mutant in again.mutants}
    assert again.sample(None, 1) == again.mutants


def test_there_is_no_lab_99() -> None:
    with pytest.raises(UserError, match="There is no lab 99") as error:
        find(99)
    assert error.value.exit_code is ExitCode.USAGE


# of the labs that there are


@pytest.mark.parametrize("number", [lab.number for lab in all_labs()])
def test_each_lab_has_an_exercise_to_mutate(number: int) -> None:
    subject = of_lab(find_lab(number))
    assert subject.files
    assert set(subject.files) <= subject.tree.keys()


def test_the_lab_whose_exercise_is_nearest_judges_first() -> None:
    services = of_services()
    assert services.labs["services/orders/app.py"][0] == 1
    assert services.labs["services/order_history/view.py"][0] == 3
    assert {frozenset(labs) for labs in services.labs.values()} == {frozenset(lab.number for lab in all_labs())}
    assert {path.split("/")[1] for path in services.files} == set(WHOLE)


def test_the_known_mutants_of_the_labs_can_be_read() -> None:
    for subject in (*map(of_lab, all_labs()), of_services()):
        assert all(one.why for one in subject.known.values())
