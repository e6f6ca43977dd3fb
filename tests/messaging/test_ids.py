"""Message ids are unique and increase, whatever the clock does."""

import random

from services.messaging.ids import IdGenerator, parse_id


def test_the_format_is_that_of_the_original() -> None:
    assert IdGenerator(0x0242AC120005, lambda: 0x19D47EF7A50).next() == "0000019d47ef7a50-0242ac1200050000"


def test_ids_rise_within_a_millisecond_and_beyond_the_counter() -> None:
    ids = IdGenerator(7, lambda: 1000)
    made = [ids.next() for _ in range(200_000)]
    assert made == sorted(set(made))


def test_ids_rise_when_the_clock_steps_back() -> None:
    random.seed(1)
    now = 1_000_000

    def clock() -> int:
        nonlocal now
        now += random.randint(-50, 60)
        return now

    ids = IdGenerator(7, clock)
    made = [ids.next() for _ in range(10_000)]
    assert made == sorted(set(made))


def test_generators_with_different_addresses_never_collide() -> None:
    generators = [IdGenerator(address, lambda: 5000) for address in range(8)]
    made = [generator.next() for _ in range(1000) for generator in generators]
    assert len(set(made)) == len(made)


def test_a_restart_after_the_clock_stepped_back_continues_above_the_last_id() -> None:
    before = IdGenerator(7, lambda: 90_000)
    last = [before.next() for _ in range(5)][-1]
    after = IdGenerator(7, lambda: 80_000)
    after.follow(last)
    following = [after.next() for _ in range(70_000)]
    assert last < following[0]
    assert following == sorted(set(following))


def test_a_foreign_or_future_id_does_not_disturb() -> None:
    ids = IdGenerator(7, lambda: 90_000)
    for strange in ("", "m-1", "ffffffffffffffff-0000000000000000", "x" * 255):
        ids.follow(strange)
    assert parse_id(ids.next())[0] == 90_000
