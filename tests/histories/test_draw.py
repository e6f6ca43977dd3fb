"""A history is determined by its seed, and contains what it must."""

from collections import Counter
from itertools import pairwise
from typing import get_args

import pytest

from labkit.checking.histories import draw
from labkit.checking.histories.disturb import may_be_down
from labkit.checking.histories.model import (
    AskForTheImpossible,
    CancelOrder,
    CancelWhilePending,
    CrashWhilePlacing,
    EventsAgain,
    History,
    MeetBetweenReadAndWrite,
    PlaceOrder,
    PlaceTogether,
    PlaceWhileDown,
    PlaceWhilePaused,
    Refused,
    Step,
    Total,
    said,
)
from tests.running import PROFILE

DOWN = may_be_down(PROFILE)
SEEDS = range(20)
ENOUGH = -(-len(draw._disturbances(DOWN)) // draw.EACH)  # long histories: together they contain each disturbance


def long_ones(seed: int, count: int = ENOUGH) -> list[History]:
    return [draw.long(seed, number, DOWN) for number in range(count)]


def all_steps(seed: int) -> set[Step]:
    return {step for history in long_ones(seed) for step in history.steps}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_seed_draws_the_same(seed: int) -> None:
    assert draw.short(seed) == draw.short(seed)
    assert long_ones(seed, 3) == long_ones(seed, 3)


def test_another_seed_and_another_number_draw_something_else() -> None:
    for one, other in pairwise(SEEDS):
        assert draw.short(one).steps != draw.short(other).steps
        assert draw.short(one).people != draw.short(other).people
        assert long_ones(one, 1)[0].steps != long_ones(other, 1)[0].steps
    for earlier, later in pairwise(long_ones(1)):
        assert earlier.steps != later.steps


@pytest.mark.parametrize("seed", SEEDS)
def test_a_short_history_contains_every_request_to_refuse_and_each_kind_of_total(seed: int) -> None:
    steps = draw.short(seed).steps
    assert sorted(step.what.name for step in steps if isinstance(step, AskForTheImpossible)) == sorted(what.name for what in Refused)
    assert {step.total for step in steps if isinstance(step, PlaceOrder)} == set(Total)
    assert {step.times for step in steps if isinstance(step, CancelOrder)} == {1, 2}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_short_history_has_somebody_without_credit_and_somebody_whom_no_service_knows(seed: int) -> None:
    people = draw.short(seed).people
    assert [person.limit for person in people if person.name].count("0.00") == 1
    assert [person.name for person in people].count("") == 1
    assert max(len(person.name) for person in people) == draw.LONGEST_NAME


@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_long_histories_of_a_seed_contain_every_disturbance(seed: int) -> None:
    steps = all_steps(seed)
    assert {step.component for step in steps if isinstance(step, PlaceWhileDown)} == set(DOWN)
    assert {(step.component, step.point) for step in steps if isinstance(step, CrashWhilePlacing)} == set(draw.POINTS)
    assert {step.one_by_one for step in steps if isinstance(step, PlaceTogether)} == {True, False}
    assert {step.under_way for step in steps if isinstance(step, CancelWhilePending)} == {True, False}
    assert {bool(step.after_restart) for step in steps if isinstance(step, EventsAgain)} == {True, False}
    assert {step.component for step in steps if isinstance(step, PlaceWhilePaused)} == {"customers", "order-history"}
    assert any(isinstance(step, MeetBetweenReadAndWrite) for step in steps)
    assert {type(step) for step in steps} == set(get_args(Step))


def test_events_come_again_after_a_restart_of_each_service_that_takes_them() -> None:
    found = {step.after_restart for seed in SEEDS for step in all_steps(seed) if isinstance(step, EventsAgain)}
    assert found == {"", "customers", "orders", "order-history"}


def test_a_component_that_may_not_be_down_is_not_stopped() -> None:
    histories = [draw.long(seed, number, ["redis"]) for seed in SEEDS for number in range(ENOUGH)]
    assert {step.component for history in histories for step in history.steps if isinstance(step, PlaceWhileDown)} == {"redis"}


def orders_of(step: Step) -> int:
    """How many orders a step places at most."""
    match step:
        case PlaceOrder() | PlaceWhilePaused() | CrashWhilePlacing() | CancelWhilePending():
            return 1
        case PlaceWhileDown() | PlaceTogether():
            return step.count
        case MeetBetweenReadAndWrite():
            return 3
        case _:
            return 0


@pytest.mark.parametrize("seed", SEEDS)
def test_who_cancels_and_whose_events_come_again_has_placed_that_order(seed: int) -> None:
    for history in (draw.short(seed), *long_ones(seed)):
        placed: Counter[int] = Counter()
        for step in history.steps:
            if isinstance(step, CancelOrder | EventsAgain):
                assert step.which < placed[step.who], said(step)
            placed[step.who] += orders_of(step)


@pytest.mark.parametrize("seed", SEEDS)
def test_only_a_known_customer_is_disturbed(seed: int) -> None:
    """Nobody reserves credit for a customer that no service knows, so a disturbance there would have nothing to disturb."""
    everybody = PlaceOrder | CancelOrder | AskForTheImpossible | EventsAgain
    for history in long_ones(seed):
        disturbed = {step.who for step in history.steps if not isinstance(step, everybody)}
        assert all(history.people[who].name for who in disturbed)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_step_has_words_of_its_own(seed: int) -> None:
    steps = {*all_steps(seed), *draw.short(seed).steps}
    words = {(said(step), type(step)) for step in steps}
    assert len({text for text, _ in words}) == len(words)
    assert len(words) > len(Refused) + len(Total) + len(draw.POINTS) + len(DOWN)
