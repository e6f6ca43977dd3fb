"""lab.yaml and hints.yaml: an author's mistake is reported with the file and line."""

from pathlib import Path

import pytest

from labkit.catalog.labs import all_labs
from labkit.catalog.schema import read, read_hints
from labkit.errors import UserError

GOOD = """\
number: 7
title: A lab
minutes: 30
given: ["7.1"]
steps:
  - id: "7.1"
    title: One
  - id: "7.2"
    title: Two
    predict: {question: "what?", choices: ["a", "b"], answer: 1, because: "so"}
mutants:
  - {name: wrong, file: mutants/wrong.patch, caught_by: "7.2", says: "is wrong"}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "lab.yaml"
    path.write_text(text)
    return path


def test_every_lab_of_labkit_can_be_read() -> None:
    assert [lab.number for lab in all_labs()][:1] == [1]


def test_what_it_says_is_read(tmp_path: Path) -> None:
    lab = read(written(tmp_path, GOOD))
    assert (lab.steps[1].predict.answer if lab.steps[1].predict else None) == 1
    assert lab.mutants[0].caught_by == "7.2"


@pytest.mark.parametrize(
    ("good", "bad", "line", "said"),
    [
        ("minutes: 30", "minutes: soon", 3, "int"),
        ("    title: Two", "    titel: Two", 9, "titel"),
        ("    title: Two\n", "", 8, "title"),
        ("answer: 1", "answer: 2", 10, "not one of the 2 choices"),
        ('id: "7.2"', 'id: "8.2"', 8, "is not a check of lab 7"),
        ('id: "7.2"', 'id: "7.1"', 8, "a second step 7.1"),
        ('caught_by: "7.2"', 'caught_by: "x"', 12, "is not a check of lab 7"),
        ('says: "is wrong"', 'says: ""', 12, "does not say"),
        ("given: [", "given: {", 4, ""),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, good: str, bad: str, line: int, said: str) -> None:
    path = written(tmp_path, GOOD.replace(good, bad))
    with pytest.raises(UserError) as error:
        read(path)
    assert f"{path}, line {line}: " in str(error.value)
    assert said in str(error.value)


def test_a_mistake_in_the_hints_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "hints.yaml"
    path.write_text('"7.1": [one, two, three]\n"7.2": only one\n')
    with pytest.raises(UserError) as error:
        read_hints(path)
    assert error.value.message == f"{path}, line 2: the hints of step 7.2 are not a list of texts."
