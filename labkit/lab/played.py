"""What several checks of a lab look at is played once, for whichever of them asks first."""

import asyncio
from collections.abc import Awaitable, Callable

from labkit.lab.check import Failed, NotJudged
from labkit.lab.schedule import at_work
from labkit.lab.trial import Trial


class Played:
    """`name` stands for it where amounts are drawn, so that they are the same whichever check asks first."""

    def __init__(self, trial: Trial, name: str, play: Callable[[], Awaitable[None]]) -> None:
        self._trial, self._name, self._play = trial, name, play
        self._wrong: dict[str, Failed | NotJudged] = {}
        self._task: asyncio.Task[None] | None = None

    async def for_check(self, check: str) -> None:
        """Play it, unless that was done; raise what was noted for this check first."""
        if self._task is None:
            token = at_work.set(self._name)
            self._task = self._trial.meeting.make(self._play_and_heal())
            at_work.reset(token)
        await self._trial.meeting.join(self._task)
        if (wrong := self._wrong.get(check)) is not None:
            raise wrong

    async def note(self, check: str, part: Callable[[], Awaitable[None]]) -> None:
        """Do a part of it. What that finds wrong is noted for this check, and the play goes on."""
        try:
            await part()
        except (Failed, NotJudged) as error:
            self._wrong.setdefault(check, error)

    async def _play_and_heal(self) -> None:
        try:
            await self._play()
        finally:
            await self._trial.heal_all()
