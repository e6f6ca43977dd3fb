"""Drawing histories from a seed."""

import random
from collections.abc import Callable, Sequence
from functools import partial

from labkit.checking.histories.model import (
    AskForTheImpossible,
    CancelOrder,
    CancelWhilePending,
    CrashWhilePlacing,
    DatabaseFails,
    EventsAgain,
    History,
    MeetBetweenReadAndWrite,
    Person,
    PlaceOrder,
    PlaceTogether,
    PlaceWhileDown,
    PlaceWhilePaused,
    Refused,
    Step,
    Total,
)
from labkit.checking.seeded_random import NAMES

LONGEST_NAME = 255
EACH = 4  # disturbances in a long history
POINTS = (
    ("customers", "customer.reserve.between_read_and_write"),
    ("customers", "customer.reserve.after_outbox_insert"),
    ("customers", "consumer.after_inbox_insert"),
    ("customers", "consumer.after_commit_before_ack"),
    ("orders", "order.approve.after_outbox_insert"),
    ("orders", "consumer.after_inbox_insert"),
    ("orders", "consumer.after_commit_before_ack"),
    ("relay", "relay.after_publish_before_mark"),
    ("order-history", "view.before_write"),
    ("order-history", "consumer.after_commit_before_ack"),
)
_ODD = "É漢𝔄'\\%_\""  # letters that take several bytes, and characters that mean something to SQL, JSON or Lua


def short(seed: int) -> History:
    """Draw a history of three known customers and an unknown one, without faults.

    It contains each situation at least once, so what it provokes does not depend on luck. The seed decides the order, the amounts and the
    names.
    """
    dice = random.Random(f"history {seed}")
    people = (
        Person(_name(dice, LONGEST_NAME), _limit(dice)),
        Person(_name(dice, 1), _limit(dice)),
        Person(_name(dice, 12), "0.00"),
        Person("", ""),
    )
    steps: list[list[Step]] = [
        # Exact fits, and what becomes free: the sum over several reservations counts, not the largest or the last one.
        [
            *_orders(0, Total.A_PART, Total.ALIKE, Total.A_CENT_MORE, Total.ALL, Total.A_CENT),
            CancelOrder(0, dice.choice([0, 1])),
            *_orders(0, Total.A_CENT_MORE, Total.ALL),
            CancelOrder(0, 2),
            DatabaseFails(0),
        ],
        [
            *_orders(1, Total.OVER_THE_LIMIT, Total.ALL),
            CancelOrder(1, 0),
            CancelOrder(1, 1, times=2),
            CancelOrder(1, 1),
            *_orders(1, Total.ALL),
        ],
        [*_orders(2, Total.A_CENT), CancelOrder(2, 0)],
        [*_orders(3, Total.A_CENT), CancelOrder(3, 0)],
    ]
    for number, what in enumerate(dice.sample(list(Refused), len(Refused))):
        own = steps[number % len(steps)]
        own.insert(dice.randint(0, len(own)), AskForTheImpossible(number % len(steps), what))
    return History(seed, people, tuple(step for own in steps for step in own), at_once=True)


def long(seed: int, number: int, may_be_down: Sequence[str]) -> History:
    """Draw history `number` of an exam, counted from 0: some ten steps, one after another, with a few of the disturbances each. Together
    the first histories of a seed contain all disturbances. `may_be_down` names the components that are stopped."""
    deck = _disturbances(may_be_down)
    random.Random(f"deck {seed}").shuffle(deck)
    dice = random.Random(f"history {seed} {number}")
    known = [Person(_name(dice, dice.choice([1, 12, LONGEST_NAME])), _limit(dice)) for _ in range(2)]
    people = (*known, Person("", ""))
    placed = [0] * len(people)
    steps: list[Step] = []
    for at in range(number * EACH, (number + 1) * EACH):
        for _ in range(dice.randint(0, 2)):
            steps.append(_ordinary(dice, placed))
        steps.append(deck[at % len(deck)](dice, placed))
    return History(seed, people, (*steps, PlaceOrder(0, Total.ALL), PlaceOrder(1, Total.A_CENT_MORE)))


_Drawn = Callable[[random.Random, list[int]], Step]
"""Draws a step. The list holds how many orders each person has placed, and is kept up to date. The services do not know the last person."""


def _disturbances(may_be_down: Sequence[str]) -> list[_Drawn]:
    def again(after_restart: str) -> _Drawn:
        def draw(dice: random.Random, placed: list[int]) -> Step:
            who = _with_orders(dice, placed)
            return (
                EventsAgain(who, dice.randrange(placed[who]), after_restart) if placed[who] else _placed(PlaceOrder(who, Total.ALL), placed)
            )

        return draw

    def of_known(make: Callable[[int], Step], count: int = 1) -> _Drawn:
        def draw(dice: random.Random, placed: list[int]) -> Step:
            return _placed(make(dice.randrange(len(placed) - 1)), placed, count)

        return draw

    return [
        *(of_known(partial(PlaceWhileDown, component=name, count=2), 2) for name in may_be_down),
        *(of_known(partial(PlaceWhilePaused, component=name)) for name in ("customers", "order-history")),
        *(of_known(partial(PlaceTogether, count=3, one_by_one=one), 3) for one in (True, False)),
        *(of_known(partial(CrashWhilePlacing, component=name, point=point)) for name, point in POINTS),
        *(of_known(partial(CancelWhilePending, under_way=under_way)) for under_way in (True, False)),
        *(again(name) for name in ("", "", "customers", "orders", "order-history")),
        of_known(MeetBetweenReadAndWrite, 3),
        of_known(DatabaseFails, 0),
    ]


def _ordinary(dice: random.Random, placed: list[int]) -> Step:
    """Draw something that people do."""
    if dice.random() < 0.2:
        return AskForTheImpossible(dice.randrange(len(placed)), dice.choice(list(Refused)))
    if dice.random() < 0.4 and any(placed):
        who = _with_orders(dice, placed)
        return CancelOrder(who, dice.randrange(placed[who]), dice.choice([1, 1, 2]))
    return _placed(PlaceOrder(dice.randrange(len(placed)), dice.choice(list(Total))), placed)


def _placed(step: Step, placed: list[int], count: int = 1) -> Step:
    placed[step.who] += count
    return step


def _with_orders(dice: random.Random, placed: list[int]) -> int:
    return dice.choice([who for who, count in enumerate(placed) if count] or [0])


def _orders(who: int, *totals: Total) -> list[Step]:
    return [PlaceOrder(who, total) for total in totals]


def _name(dice: random.Random, length: int) -> str:
    if length == 1:
        return dice.choice(_ODD)
    return f"{dice.choice(NAMES)} {''.join(dice.sample(_ODD, 3))}"[:length].ljust(length, "o")


def _limit(dice: random.Random) -> str:
    """An uneven number of cents, so that a half is never exact."""
    return f"{dice.randrange(20, 90)}.{dice.randrange(1, 100, 2):02}"
