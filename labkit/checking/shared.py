"""What several checks of a lab look at is played once, for whichever of them asks first."""

from collections.abc import Awaitable, Callable

from labkit.checking.checks import Failed, NotJudged
from labkit.checking.trial import Trial


class SharedScene:
    """`name` stands for it where amounts are drawn, so that they are the same whichever check asks first."""

    def __init__(self, trial: Trial, name: str, play: Callable[[], Awaitable[None]]) -> None:
        self._trial, self._name, self._play = trial, name, play
        self._wrong: dict[str, Failed | NotJudged] = {}

    async def for_check(self, check: str) -> None:
        """Play it, unless that was done; raise what was noted for this check first."""
        await self._trial.once(self._name, self._play_and_heal)
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
            await self._trial.faults.heal_all()
