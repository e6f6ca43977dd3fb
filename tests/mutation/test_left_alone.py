"""What is for people is left alone, and so is what is no code."""

from textwrap import dedent

import pytest

from labkit.mutation.generate import mutants_of
from tests.mutation.making import changes, made


@pytest.mark.parametrize(
    "source",
    [
        '"""Place orders."""',
        'def a():\n    """Place"""',
        'class A:\n    """Orders"""\n',
        "def a(b: Literal[1]) -> Literal[2]: ...",
        'a: "Order"',
        "from a import b\nimport c",
        "log('order', 17)",
        "log('order', number=17, is_new=True)",
        "def a(b):\n    assert b > 3\n",
        '@dataclass(frozen=True)\nclass A:\n    """Orders"""\n',
        "@property\ndef a(self): ...",
        'a = "The order is over."',
        'a = ("The order " "is" "over")',
        'a = f"Order {b} is over."',
        "if TYPE_CHECKING:\n    from a import b",
        "a = b",
        "ANSWER_TIMEOUT_S = 5",
        "MAX_BYTES: int = 5",
        "a = {'retry.backoff.ms': 50}",
    ],
)
def test_what_is_for_people_is_left_alone(source: str) -> None:
    assert [(mutant.rule, changes(mutant, source)) for mutant in made(source)] == []


def test_a_log_call_is_neither_dropped_nor_doubled_nor_changed() -> None:
    source = 'def a(b):\n    log("taken", b, 1)\n    c(b)\n'
    kept = [mutant for mutant in made(source) if mutant.rule != "statements swapped"]
    assert kept
    assert all('    log("taken", b, 1)\n' in mutant.content for mutant in kept)


def test_a_dropped_assignment_to_a_name_is_no_mutant() -> None:
    """The name would be missing: that says nothing about the checks."""
    assert not [m for m in made("def a():\n    b = c()\n    return b") if "b = c()" not in m.content]


def test_statements_that_need_each_other_are_not_swapped() -> None:
    assert not [m for m in made("def a():\n    b = c()\n    d(b)") if m.rule == "statements swapped"]


def test_a_comment_and_the_layout_around_a_mistake_stay() -> None:
    source = dedent(
        """
        # of the shop

        a = {  # of orders
            1: b,   # first

            2: c }

        """
    )
    content = {mutant.content for mutant in made(source) if mutant.rule == "number changed"}
    assert source.replace("2: c", "3: c") in content


def test_files_of_other_languages_have_none() -> None:
    assert mutants_of({"services/shop/schema.sql": b"SELECT 1"}, ["services/shop/schema.sql"]) == []


@pytest.mark.parametrize("source", ["", "\n\n", "# nothing\n"])
def test_a_file_without_code_has_none(source: str) -> None:
    assert made(source) == []
