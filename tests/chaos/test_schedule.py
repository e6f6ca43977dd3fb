"""A schedule is determined by its seed and respects its rules."""

from pathlib import Path

import pytest

from labkit.chaos import schedule
from labkit.errors import UserError
from tests.running import COMPONENTS, PROFILE


def test_the_same_seed_draws_the_same() -> None:
    assert schedule.draw(7, 120, 30, PROFILE) == schedule.draw(7, 120, 30, PROFILE)
    assert schedule.draw(7, 120, 30, PROFILE).events != schedule.draw(8, 120, 30, PROFILE).events


@pytest.mark.parametrize("seed", range(20))
def test_no_component_meets_two_faults_at_once_and_all_end_in_time(seed: int) -> None:
    drawn = schedule.draw(seed, 120, 30, PROFILE)
    assert len(drawn.events) >= 20
    free = dict.fromkeys({event.target for event in drawn.events}, 0.0)
    for event in drawn.events:
        assert event.at + event.lasts <= 120
        if event.target:
            assert event.at >= free[event.target]
            free[event.target] = event.at + event.lasts + schedule.REST_S
        assert (event.verb == "crash") == bool(event.point)


def test_over_some_seeds_every_component_is_a_victim() -> None:
    drawn = [event for seed in range(1, 11) for event in schedule.draw(seed, 120, 30, PROFILE).events]
    assert {event.target for event in drawn} >= set(COMPONENTS)
    assert {event.verb for event in drawn} == set(schedule.KINDS)


def test_only_the_chosen_victims() -> None:
    drawn = schedule.draw(1, 120, 30, PROFILE, ["orders"])
    assert {event.target for event in drawn.events} == {"orders", ""}


def test_a_file_keeps_all_of_it(tmp_path: Path) -> None:
    drawn = schedule.draw(3, 60, 30, PROFILE)
    schedule.write(drawn, tmp_path / "s.json")
    assert schedule.read(tmp_path / "s.json", PROFILE) == drawn
    (tmp_path / "s.json").write_text("{}")
    with pytest.raises(UserError):
        schedule.read(tmp_path / "s.json", PROFILE)


def test_the_events_that_are_left_come_one_after_another() -> None:
    drawn = schedule.draw(3, 120, 30, PROFILE)
    shorter = schedule.only(drawn, drawn.events[10:12])
    assert shorter.seconds < 20
    assert shorter.events[0].at < shorter.events[1].at < shorter.seconds
    assert (shorter.seed, shorter.rate) == (drawn.seed, drawn.rate)
