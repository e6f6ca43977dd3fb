"""What fails is reduced to a part that still fails."""

from collections.abc import Generator, Sequence

import pytest

from labkit.checking.delta_debugging import reductions, shrink

WHOLE = range(40)


@pytest.mark.parametrize("wanted", [[], [17], [3, 30], [0, 39], [5, 6, 7]])
def test_what_does_not_matter_is_dropped(wanted: list[int]) -> None:
    assert shrink(WHOLE, lambda some: set(wanted) <= set(some), tries=500) == wanted


def test_it_stops_after_so_many_tries_with_something_that_fails() -> None:
    tried: list[int] = []

    def fails(some: Sequence[int]) -> bool:
        tried.append(len(some))
        return 17 in some

    found = shrink(WHOLE, fails, tries=3)
    assert len(tried) == 3
    assert 17 in found


def test_of_two_equal_ones_the_right_one_is_left() -> None:
    """They are told apart by identity, because a history may contain the same step twice."""
    one, other = ["cancel"], ["cancel"]
    found = shrink([one, other, ["order"]], lambda some: any(each is other for each in some), tries=50)
    assert len(found) == 1
    assert found[0] is other


def driven(whole: Sequence[int], answers: Sequence[bool], tries: int = 50) -> tuple[list[list[int]], list[int] | None]:
    """Answer so many parts. Returns these parts, and what the generator returned, if it ended."""
    parts: Generator[list[int], bool | None, list[int]] = reductions(whole, tries=tries)
    seen = [next(parts)]
    try:
        for answer in answers:
            seen.append(parts.send(answer))
    except StopIteration as end:
        found: list[int] = end.value
        return seen, found
    return seen, None


def test_first_nothing_at_all_is_tried() -> None:
    assert driven([1, 2, 3, 4], [True]) == ([[]], [])


def test_each_half_is_tried_and_then_each_quarter_and_what_is_left_without_it() -> None:
    seen, found = driven([1, 2, 3, 4], [False] * 20)
    assert seen == [[], [1, 2], [3, 4], [1], [2], [3], [4], [2, 3, 4], [1, 3, 4], [1, 2, 4], [1, 2, 3]]
    assert found == [1, 2, 3, 4]


def test_a_part_that_fails_is_what_is_reduced_next() -> None:
    seen, found = driven([1, 2, 3, 4], [False, False, True, False, True])
    assert seen == [[], [1, 2], [3, 4], [3], [4]]
    assert found == [4]


def test_the_whole_itself_is_never_tried() -> None:
    """Whoever asks has seen it fail."""
    seen, _ = driven([1, 2, 3, 4, 5], [False] * 50)
    assert [1, 2, 3, 4, 5] not in seen


def test_a_part_that_was_given_out_and_not_answered_is_not_the_result() -> None:
    parts = reductions([1, 2], tries=50)
    assert (next(parts), parts.send(False)) == ([], [1])
    parts.close()
    assert driven([1, 2], [False, False], tries=2) == ([[], [1]], [1, 2])
