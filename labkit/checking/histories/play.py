"""Playing a history: each step is done, and its outcome must be that of the books."""

from collections.abc import Coroutine, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from labkit.checking.checks import Failed
from labkit.checking.histories import disturb, pages
from labkit.checking.histories.act import Acting, ask_for_the_impossible, cancel, place
from labkit.checking.histories.database_fails import database_fails
from labkit.checking.histories.model import (
    AskForTheImpossible,
    CancelOrder,
    CancelWhilePending,
    CrashWhilePlacing,
    DatabaseFails,
    EventsAgain,
    History,
    MeetBetweenReadAndWrite,
    PlaceOrder,
    PlaceTogether,
    PlaceWhileDown,
    PlaceWhilePaused,
    Step,
)
from labkit.checking.shop import Customer
from labkit.checking.trial import Trial
from labkit.explanation import Fact


async def play(trial: Trial, history: History) -> list[int]:
    """Play a history, and read each page of the API. Return the ids of its customers. Raises Failed, with the steps that led there, or
    NotJudged."""
    acting = [Acting(trial, person) for person in history.people]
    await trial.meeting.together(*(person.appear() for person in acting))
    if history.at_once:
        by_person = [list(steps) for _, steps in groupby(sorted(history.steps, key=_who), _who)]
        await trial.meeting.together(*(_one_after_another(acting, steps) for steps in by_person))
    else:
        for step in history.steps:
            await _one_after_another(acting, [step])
            await _look(acting[step.who])
    await pages.of_nobody(trial)
    for person in acting:
        await _look(person)
    return [person.id for person in acting]


def _who(step: Step) -> int:
    return step.who


async def _one_after_another(acting: Sequence[Acting], steps: Sequence[Step]) -> None:
    for step in steps:
        await _explained(acting[step.who], _do(acting[step.who], step))


async def _look(person: Acting) -> None:
    await _explained(person, pages.of_orders(person.trial, person.id, person.placed))
    if isinstance(person.customer, Customer):
        await _explained(person, pages.of_customer(person.trial, person.customer))


async def _explained(person: Acting, work: Coroutine[Any, Any, None]) -> None:
    """Do it. What is wrong then tells the person's steps, too."""
    try:
        await work
    except Failed as failed:
        fact = Fact(f"customer {person.id} did: {'; '.join(person.said)}", "the check's requests")
        raise Failed.of(replace(failed.explanation, because=(*failed.explanation.because, fact))) from None


async def _do(person: Acting, step: Step) -> None:
    match step:
        case PlaceOrder():
            await place(person, step.total)
        case CancelOrder():
            await cancel(person, step.which, step.times)
        case AskForTheImpossible():
            await ask_for_the_impossible(person, step.what)
        case PlaceWhileDown():
            await disturb.place_while_down(person, step)
        case PlaceWhilePaused():
            await disturb.place_while_paused(person, step)
        case PlaceTogether():
            await disturb.place_together(person, step)
        case CrashWhilePlacing():
            await disturb.crash_while_placing(person, step)
        case CancelWhilePending():
            await disturb.cancel_while_pending(person, step)
        case EventsAgain():
            await disturb.events_again(person, step)
        case DatabaseFails():
            await database_fails(person)
        case MeetBetweenReadAndWrite():
            await disturb.meet(person)
