"""A scene that several checks of a lab inspect. It is played once, for the first check that asks."""

from collections.abc import Awaitable, Callable

from labkit.checking.checks import Failed, NotJudged
from labkit.checking.trial import Trial


class SharedScene:
    """A shared scene. Its amounts are drawn under `name`, so they do not depend on which check asks first."""

    def __init__(self, trial: Trial, name: str, play: Callable[[], Awaitable[None]]) -> None:
        self._trial, self._name, self._play = trial, name, play
        self._wrong: dict[str, Failed | NotJudged] = {}

    async def for_check(self, check: str) -> None:
        """Play the scene, unless it has been played. Then raise the first problem noted for this check, if any."""
        await self._trial.once(self._name, self._play_and_heal)
        if (wrong := self._wrong.get(check)) is not None:
            raise wrong

    async def note(self, check: str, part: Callable[[], Awaitable[None]]) -> None:
        """Run a part of the scene. A problem in it is noted for this check, and the scene continues."""
        try:
            await part()
        except (Failed, NotJudged) as error:
            self._wrong.setdefault(check, error)

    async def _play_and_heal(self) -> None:
        try:
            await self._play()
        finally:
            await self._trial.faults.heal_all()
